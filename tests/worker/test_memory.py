"""Memory that a worker keeps between renders, whatever threads its encoders used."""

from fractions import Fraction
from mmap import mmap
from pathlib import Path

import psutil
import torch
from PIL import Image

from pipelines.spec import Container, GenerationSpec, Keyframe
from server.jobs.worker_process import Worker, run_worker
from server.process.heap import KEPT_BYTES
from server.worker.memory import PeakMemory
from server.worker.messages import Done, Failed, Generate, Ready, WorkerConfig
from tests.jobs.test_worker_process import heard
from weights.tiny import TinyFiles

# Measured growth beyond KEPT_BYTES is 3 MB. With a heap for each thread it was 27 MB more for each heap used, 195 MB
# after ten clips.
MAX_GROWTH_BYTES = KEPT_BYTES + 25e6
CLIPS = 10


def clip(container: Container, *keyframes: Keyframe, side: int = 256) -> GenerationSpec:
    return GenerationSpec(
        "a red fox", 1, side, side, 9, Fraction(24), keyframes, generate_audio=False, container=container
    )


async def rendered(worker: Worker, spec: GenerationSpec, folder: Path) -> tuple[int, int]:
    """Render a clip; return its peak, and the worker's resident bytes afterwards."""
    worker.send(Generate("clip", spec, folder / "clip"))
    done = await heard(worker, Done)
    assert done.peak_memory_bytes is not None
    # A place of the worker releases memory after an answer and before its next job, so wait for a job in each.
    worker.send(Generate("small", clip(Container.MP4, side=64), folder / "small"))
    await heard(worker, Done)
    worker.send(Generate("refused", clip(Container.MP4, Keyframe(folder / "missing.png"), side=64), folder / "refused"))
    await heard(worker, Failed)
    return done.peak_memory_bytes, psutil.Process(worker.pid).memory_info().rss


async def test_a_clip_reports_its_peak_memory_and_encoder_threads_release_theirs(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    """A large image comes first: its freed buffer raises the threshold up to which glibc keeps memory."""
    image = tmp_path / "large.png"
    Image.new("RGB", (3200, 3200)).save(image)
    async with run_worker(WorkerConfig(cache_dir)) as worker:
        await heard(worker, Ready)
        loaded_bytes = psutil.Process(worker.pid).memory_info().rss
        peak_bytes, before_bytes = await rendered(worker, clip(Container.MP4, Keyframe(image)), tmp_path)
        _, after_bytes = [await rendered(worker, clip(Container.WEBM), tmp_path) for _ in range(CLIPS)][-1]
        worker.kill()

    assert peak_bytes > loaded_bytes // 2
    assert after_bytes - before_bytes < MAX_GROWTH_BYTES


def test_the_peak_is_measured_for_each_clip() -> None:
    large_bytes = 64 * 2**20
    before = psutil.Process().memory_info().rss

    large = PeakMemory(torch.device("cpu"))
    # malloc may hold as much free memory already, which would add nothing.
    with mmap(-1, large_bytes) as memory:
        memory.write(bytes(range(256)) * (large_bytes // 256))
    large_peak = large.read_bytes()
    small = PeakMemory(torch.device("cpu"))
    small_peak = small.read_bytes()

    assert large_peak is not None
    assert small_peak is not None
    assert large_peak >= before + large_bytes * 0.9
    assert small_peak <= large_peak - large_bytes * 0.5
