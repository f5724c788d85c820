"""Hangs in a step of a job that says "hang", deaf to its cancellation, with a child process that hangs as well."""

import subprocess

from manners import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "hang":
        with subprocess.Popen(["sleep", "infinity"]):
            pipe.begin(job)
            hang()
    pipe.render(job)
