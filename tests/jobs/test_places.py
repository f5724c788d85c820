"""A job on the device, one whose file is being finished, and one that is prepared; the program `obeys` moves them."""

from pathlib import Path

import pytest

from pipelines.spec import Keyframe
from server.jobs.job import Job
from server.worker.messages import Ready
from tests.jobs.conftest import Dispatching, Rig, outcome

FIFO = "orders-auto"
IMAGE = Keyframe(Path("never-read.png"))


async def decoded_and_on_device(rig: Rig) -> tuple[Job, Job]:
    await rig.told(Ready)
    first, second = rig.submit(id="first"), rig.submit(id="second")
    await first.begun.wait()
    rig.order(FIFO, b"m")
    await second.begun.wait()
    return first, second


async def test_a_decoded_job_leaves_the_device_to_the_next_one(dispatching: Dispatching) -> None:
    async with dispatching("obeys", fifos=[FIFO]) as rig:
        first, second = await decoded_and_on_device(rig)
        waiting = rig.submit(id="waiting")

        status = rig.dispatcher.status
        assert (status.running, status.queued, status.workers[0].running) == (2, 1, True)
        assert first.progress.value.running
        assert waiting.progress.value.position == 1
        rig.order(FIFO, b"F")
        assert await outcome(first) == "done"
        rig.order(FIFO, b"f")
        assert await outcome(second) == "done"
        await waiting.begun.wait()
        rig.order(FIFO, b"f")
        assert await outcome(waiting) == "done"


async def test_a_job_may_end_before_the_one_that_was_decoded_before_it(dispatching: Dispatching) -> None:
    async with dispatching("obeys", fifos=[FIFO]) as rig:
        first, second = await decoded_and_on_device(rig)
        rig.order(FIFO, b"x")
        assert await outcome(second) == "RenderFailed"
        rig.order(FIFO, b"F")
        assert await outcome(first) == "done"


@pytest.mark.parametrize("cancelled", ["first", "second"])
async def test_cancelling_one_leaves_the_other(dispatching: Dispatching, cancelled: str) -> None:
    async with dispatching("obeys", fifos=[FIFO], grace_s=50) as rig:
        jobs = dict(zip(("first", "second"), await decoded_and_on_device(rig), strict=True))
        rig.dispatcher.cancel(jobs.pop(cancelled))
        await rig.until(lambda: rig.dispatcher.status.running == 1)
        rig.order(FIFO, b"F" if cancelled == "second" else b"f")

        assert await outcome(*jobs.values()) == "done"
        assert rig.dispatcher.status.restarts == 0


async def test_a_dead_worker_fails_both_and_the_waiting_job_goes_to_the_next(dispatching: Dispatching) -> None:
    async with dispatching("obeys", fifos=[FIFO]) as rig:
        first, second = await decoded_and_on_device(rig)
        waiting = rig.submit("waiting", None, IMAGE)
        rig.order(FIFO, b"d")

        assert [await outcome(job) for job in (first, second)] == ["RenderFailed", "RenderFailed"]
        await waiting.begun.wait()
        assert waiting.attempts == 1
        rig.order(FIFO, b"f")
        assert await outcome(waiting) == "done"


async def test_a_drain_finishes_both(dispatching: Dispatching) -> None:
    async with dispatching("obeys", fifos=[FIFO]) as rig:
        first, second = await decoded_and_on_device(rig)
        waiting = rig.submit("waiting", None, IMAGE)
        rig.dispatcher.drain()
        assert await outcome(waiting) == "NotReady"
        rig.order(FIFO, b"f")
        assert await outcome(second) == "done"
        rig.order(FIFO, b"F")
        assert await outcome(first) == "done"
        await rig.dispatcher.stopped()


async def test_the_next_job_with_an_image_is_prepared(dispatching: Dispatching) -> None:
    async with dispatching("obeys", fifos=[FIFO]) as rig:
        await rig.told(Ready)
        running, cancelled = rig.submit("running", None, IMAGE), rig.submit("cancelled", None, IMAGE)
        following = rig.submit("following", None, IMAGE)
        rig.dispatcher.cancel(cancelled)
        rig.order(FIFO, b"f")
        assert await outcome(running) == "done"
        rig.order(FIFO, b"f")
        assert await outcome(following) == "done"

        assert [job.path.read_text() for job in (running, following)] == ["running", "prepared"]


async def test_each_of_two_workers_prepares_one_of_the_next_jobs(dispatching: Dispatching) -> None:
    devices = ("cuda:0", "cuda:1")
    async with dispatching("obeys", devices, fifos=[f"orders-{device}" for device in devices]) as rig:
        for _ in devices:
            await rig.told(Ready)
        running = [rig.submit("running", str(number)) for number in range(2)]
        waiting = [rig.submit("waiting", str(number), IMAGE) for number in range(2, 4)]
        for device, ends, begins in zip(devices, running, waiting, strict=True):
            rig.order(f"orders-{device}", b"f")
            assert await outcome(ends) == "done"
            await begins.begun.wait()
        for device, job in zip(devices, waiting, strict=True):
            rig.order(f"orders-{device}", b"f")
            assert await outcome(job) == "done"

        assert [job.path.read_text() for job in waiting] == ["prepared", "prepared"]
