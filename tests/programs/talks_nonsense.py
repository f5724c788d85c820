"""Send an invalid message in a job with the prompt "nonsense", and wait for an answer."""

from protocol import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "nonsense":
        pipe.begin(job)
        pipe.connection.send_bytes(b"nonsense")
        hang()
    pipe.render(job)
