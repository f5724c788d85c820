"""Close the pipe in a job with the prompt "close", and keep running."""

from protocol import Pipe, hang

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "close":
        pipe.begin(job)
        pipe.connection.close()
        hang()
    pipe.render(job)
