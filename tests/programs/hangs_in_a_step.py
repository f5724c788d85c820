"""Hang in a step of a job with the prompt "hang", ignoring its cancellation, with a child process that hangs too."""

import subprocess

from protocol import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "hang":
        with subprocess.Popen(["sleep", "infinity"]):
            pipe.begin(job)
            hang()
    pipe.render(job)
