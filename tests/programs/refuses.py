"""Refuse a job with the prompt "invalid", fail "fail", and run out of memory for "large" and "no memory"."""

from protocol import Pipe

from server.worker.messages import Failed, FailureKind

KINDS = {
    "invalid": FailureKind.INVALID,
    "fail": FailureKind.INTERNAL,
    "large": FailureKind.OUT_OF_MEMORY,
    "no memory": FailureKind.OUT_OF_MEMORY,
}

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    if kind := KINDS.get(job.spec.prompt):
        pipe.send(Failed(job.job_id, kind, f"because {kind}"))
    else:
        pipe.finish(job)
