"""Write a part of the live clip of each job, then do what its prompt says: fail, hang, or finish."""

from protocol import Pipe

from server.worker.messages import Failed, FailureKind, FragmentWritten

PART, REST = b"the beginning", b" and the end"

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    assert job.fragments is not None
    job.fragments.write_bytes(PART)
    pipe.send(FragmentWritten(job.job_id, len(PART)))
    match job.spec.prompt:
        case "hang":
            pipe.wait_for_cancel(job)
            pipe.send(Failed(job.job_id, FailureKind.CANCELLED, "as it was told"))
        case "fail":
            pipe.send(Failed(job.job_id, FailureKind.INTERNAL, "as it was told"))
        case _:
            job.fragments.write_bytes(PART + REST)
            pipe.send(FragmentWritten(job.job_id, len(PART + REST)))
            pipe.finish(job)
