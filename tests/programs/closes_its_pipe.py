"""Closes its pipe in a job that says "close", and lives on."""

from manners import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "close":
        pipe.begin(job)
        pipe.connection.close()
        hang()
    pipe.render(job)
