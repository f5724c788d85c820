"""Render every job at once, and report sizes, memory and steps as the real worker does."""

from protocol import Pipe

from server.worker.messages import Done, Memory, ModelInfo, Progress, Ready

MEMORY_BYTES = 2**30

pipe = Pipe()
sizes = {"float32": MEMORY_BYTES}
pipe.send(Ready(ModelInfo(checkpoint="none", is_tiny=True, device="cpu", dtype="float32", size_bytes=sizes)))
pipe.send(Memory(MEMORY_BYTES))
for job in pipe.jobs():
    pipe.begin(job)
    for stage, steps in {"stage_1": 8, "stage_2": 3}.items():
        for step in range(steps + 1):
            pipe.send(Progress(job.job_id, stage, step, steps))
    timings_s = {"encode": 0.1, "denoise": 0.4, "decode": 0.2, "mux": 0.1}
    pipe.send(Done(job.job_id, timings_s, job.path.write_text(job.spec.prompt), MEMORY_BYTES))
