"""Exit before a job with the prompt "never" begins; the worker that is started first exits before any job."""

import os

from protocol import Pipe

pipe = Pipe()
life = pipe.life()
pipe.ready()
for job in pipe.jobs():
    if life == 1 or job.spec.prompt == "never":
        os._exit(1)
    pipe.render(job)
