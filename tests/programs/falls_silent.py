"""Send heartbeats; stop in a job with the prompt "stop", as a process whose device never answers does.

A job with the prompt "slow" takes forty heartbeats.
"""

import os
import signal
import threading
import time

from protocol import Pipe

from server.worker.messages import Memory

pipe = Pipe()
beats = threading.Semaphore(0)


def beat() -> None:
    while True:
        pipe.send(Memory(1))
        beats.release()
        time.sleep(0.05)


threading.Thread(target=beat, daemon=True).start()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    if job.spec.prompt == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if job.spec.prompt == "slow":
        while beats.acquire(blocking=False):
            pass
        for _ in range(40):
            beats.acquire()
    pipe.finish(job)
