"""Several workers with one queue: which worker gets which job, and what happens when one fails."""

import asyncio

import pytest

from server.jobs.job import QueueFull
from server.jobs.progress import JobProgress
from server.jobs.status import State
from server.worker.messages import LoadFailed, Ready
from tests.jobs.conftest import Dispatching, outcome

TWO = ("cuda:0", "cuda:1")


async def test_as_many_jobs_run_as_there_are_workers(dispatching: Dispatching) -> None:
    async with dispatching("cancels", TWO, queue_size=1) as rig:
        for _ in TWO:
            await rig.told(Ready)
        first, second, third = rig.submit("long", "1"), rig.submit("long", "2"), rig.submit("quick", "3")
        for job in (first, second):
            await job.begun.wait()
        assert (rig.dispatcher.status.running, rig.dispatcher.status.queued) == (2, 1)
        assert third.progress.value == JobProgress(position=1)
        assert not rig.dispatcher.status.admits
        with pytest.raises(QueueFull):
            rig.submit()

        rig.dispatcher.cancel(second)
        assert await outcome(third) == "done"
        assert not first.ended.done()
        rig.dispatcher.cancel(first)
        assert rig.ended == ["2", "3"]
        assert await outcome(first) == "JobCancelled"


async def test_a_crash_leaves_the_other_worker_alone(dispatching: Dispatching) -> None:
    async with dispatching("obeys", TWO, fifos=("orders-cuda:0", "orders-cuda:1")) as rig:
        for _ in TWO:
            await rig.told(Ready)
        dies, stays, waits = (rig.submit(id=name) for name in ("dies", "stays", "waits"))
        await asyncio.gather(dies.begun.wait(), stays.begun.wait())

        rig.order("orders-cuda:0", b"d")
        assert await outcome(dies) == "RenderFailed"
        assert rig.dispatcher.status.state is State.READY
        rig.order("orders-cuda:1", b"f")
        assert await outcome(stays) == "done"
        await waits.begun.wait()
        rig.dispatcher.cancel(waits)
        assert await outcome(waits) == "JobCancelled"
        assert rig.dispatcher.status.workers[1].restarts == 0


async def test_a_job_that_its_worker_did_not_begin_goes_to_another_worker(dispatching: Dispatching) -> None:
    """The worker that was started first dies of any job."""
    async with dispatching("dies_before_a_render", TWO) as rig:
        await rig.told(Ready)
        jobs = [rig.submit("first"), rig.submit("second")]

        assert [await outcome(job) for job in jobs] == ["done", "done"]


@pytest.mark.parametrize("devices", [("cuda:0", "cuda:9"), ("cuda:9", "cuda:0")])
async def test_another_device_serves_if_one_cannot_load(dispatching: Dispatching, devices: tuple[str, str]) -> None:
    async with dispatching("loads_on_one_device", devices) as rig:
        await rig.told(Ready)
        jobs = [rig.submit(id=str(i)) for i in range(3)]

        assert [await outcome(job) for job in jobs] == ["done"] * 3
        await rig.until(lambda: rig.dispatcher.status.workers[devices.index("cuda:9")].state is State.FAILED)
        status = rig.dispatcher.status
        assert (status.state, status.load_error, status.admits) == (State.READY, None, True)
        assert status.workers[devices.index("cuda:9")].load_error == "torch sees 2 of them"
        assert not any(isinstance(event, LoadFailed) for event in rig.heard())


async def test_if_no_device_can_load_each_reports_its_reason(dispatching: Dispatching) -> None:
    async with dispatching("loads_on_one_device", ("cuda:9", "cuda:9")) as rig:
        failure = await rig.told(LoadFailed)

        assert failure.message == "cuda:9: torch sees 2 of them; cuda:9: torch sees 2 of them"
        assert rig.dispatcher.status.state is State.FAILED


async def test_the_estimated_wait_is_that_of_the_worker_that_is_free_first(dispatching: Dispatching) -> None:
    async with dispatching("cancels", TWO) as rig:
        for _ in TWO:
            await rig.told(Ready)
        running = [rig.submit("long", str(i)) for i in range(2)]
        waiting = [rig.submit("long", str(i)) for i in range(2, 5)]
        third, fourth, fifth = (rig.dispatcher.seconds_left(job) for job in waiting)

        # Each clip counts as 10 s before any was measured.
        assert third == pytest.approx(20, abs=1)
        assert fourth == pytest.approx(20, abs=1)
        assert fifth == pytest.approx(30, abs=1)
        for job in (*waiting, *running):
            rig.dispatcher.cancel(job)
