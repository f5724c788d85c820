"""Kill itself in a job with the prompt "die", as the kernel does when memory runs out."""

import os
import signal

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "die":
        pipe.begin(job)
        os.kill(os.getpid(), signal.SIGKILL)
    pipe.render(job)
