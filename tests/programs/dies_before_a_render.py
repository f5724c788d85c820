"""Dies when it is given a job that says "never", before it begins; of any other job, only the first time."""

import os

from manners import Pipe

pipe = Pipe()
life = pipe.life()
pipe.ready()
for job in pipe.jobs():
    if life == 1 or job.spec.prompt == "never":
        os._exit(1)
    pipe.render(job)
