"""Render a job with the prompt "long" until it is cancelled, then report the cancellation."""

from protocol import Pipe

from server.worker.messages import Failed, FailureKind

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "long":
        pipe.begin(job)
        pipe.wait_for_cancel(job)
        pipe.send(Failed(job.job_id, FailureKind.CANCELLED, "cancelled between steps"))
    else:
        pipe.render(job)
