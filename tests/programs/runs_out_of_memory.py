"""Render with the tiny model; run out of memory, as a GPU does, in the stage that a job's prompt names."""

import torch
from protocol import Pipe
from real_model import InStage, load, render

from pipelines.errors import OutOfMemory
from server.worker.messages import Failed, FailureKind


def run_out() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


pipe = Pipe()
model = load(pipe)
pipe.ready()
for job in pipe.jobs():
    try:
        render(pipe, model, job, InStage(job.spec.prompt, run_out))
    except OutOfMemory as exc:
        pipe.send(Failed(job.job_id, FailureKind.OUT_OF_MEMORY, str(exc)))
