"""Report a job as done whose file is half written ("half") or empty ("nothing"), as its prompt says."""

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    match job.spec.prompt:
        case "half":
            job.path.write_text(job.spec.prompt[:2])
        case "nothing":
            pass
        case _:
            job.path.write_text(job.spec.prompt)
    pipe.done(job, size_bytes=len(job.spec.prompt))
