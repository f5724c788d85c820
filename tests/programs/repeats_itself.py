"""Report the end of a job twice, and once more while the next job runs."""

from protocol import Pipe

from server.worker.messages import Done, Failed, FailureKind, FromWorker

pipe = Pipe()
pipe.ready()
said: list[FromWorker] = []
for job in pipe.jobs():
    pipe.begin(job)
    for message in said:
        pipe.send(message)
    pipe.finish(job)
    said = [Done(job.job_id, {}, size_bytes=0), Failed(job.job_id, FailureKind.INTERNAL, "no, it failed")]
    pipe.send(said[1])
