"""Give each job the clip `clip.mp4` of the cache folder; report times and memory that are never the same twice."""

import shutil
import time

from protocol import Pipe

from server.worker.messages import Done

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.begin(job)
    shutil.copy(pipe.folder / "clip.mp4", job.path)
    timings_s = {stage: time.monotonic() for stage in ("encode", "denoise", "decode", "mux")}
    pipe.send(Done(job.job_id, timings_s, job.path.stat().st_size, peak_memory_bytes=time.monotonic_ns()))
