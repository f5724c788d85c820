"""Exit while loading, the first time that it is started."""

import os

from protocol import Pipe

from server.worker.messages import Loading

pipe = Pipe()
pipe.send(Loading("transformer", 0, 0))
if pipe.life() == 1:
    os._exit(7)
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
