"""Refuses a job that says "invalid", and fails one that says "fail" or "no memory"."""

from manners import Pipe

from server.messages import Failed, FailureKind

KINDS = {
    "invalid": FailureKind.INVALID,
    "fail": FailureKind.INTERNAL,
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
