"""Renders one job, and dies with nothing to do."""

import os

from manners import Pipe

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
    os._exit(1)
