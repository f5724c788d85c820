"""Finish a job with the prompt "late" although it was cancelled, as if the cancellation came with the last step."""

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    if job.spec.prompt == "late":
        pipe.begin(job)
        pipe.wait_for_cancel(job)
        pipe.finish(job)
    else:
        pipe.render(job)
