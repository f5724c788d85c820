"""Sends what is no message when a job says "nonsense", and waits for an answer."""

from manners import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "nonsense":
        pipe.begin(job)
        pipe.connection.send_bytes(b"nonsense")
        hang()
    pipe.render(job)
