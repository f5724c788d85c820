"""A worker that loses its GPU; skipped without a GPU."""

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from pipelines.spec import GenerationSpec
from server.jobs.dispatcher import Dispatcher
from server.jobs.job import Job
from server.jobs.limits import Limits
from server.worker.messages import FromWorker, Ready, WorkerConfig
from tests.jobs.conftest import outcome, program_of
from weights.tiny import TinyFiles

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_a_worker_that_loses_its_gpu_ends_and_the_next_one_can_use_it(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    asyncio.run(lose(cache_dir, tmp_path))


async def lose(cache_dir: Path, folder: Path) -> None:
    events: asyncio.Queue[FromWorker] = asyncio.Queue()
    config = WorkerConfig(cache_dir, device="cuda:0")
    dispatcher = Dispatcher([config], Limits(), events.put_nowait, program_of("loses_its_device"))
    dispatcher.start()
    # A worker that cannot load the model is started again and again.
    async with asyncio.timeout(120):
        while not isinstance(await events.get(), Ready):
            pass
    jobs: list[Job] = []
    for prompt in ("a fox", "lose", "a fox"):
        spec = GenerationSpec(prompt, 1, 256, 256, 9, Fraction(24))
        jobs.append(Job(f"{len(jobs)}", spec, folder / f"{len(jobs)}.mp4"))
        dispatcher.submit(jobs[-1])

    assert [await outcome(job) for job in jobs] == ["done", "RenderFailed", "done"]
    status = dispatcher.status
    assert status.restarts == 1
    model, memory = status.workers[0].model, status.workers[0].memory
    assert model is not None
    assert model.device == torch.cuda.get_device_name(0)
    assert memory is not None
    assert memory.device_total_bytes
    dispatcher.stop()
    await dispatcher.stopped()
