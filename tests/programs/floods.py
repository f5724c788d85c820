"""Report progress on a job with the prompt "flood" for ever, as fast as possible."""

from protocol import Pipe

from server.worker.messages import Progress

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    while job.spec.prompt == "flood":
        pipe.send(Progress(job.job_id, "stage_1", 1, 8))
    pipe.finish(job)
