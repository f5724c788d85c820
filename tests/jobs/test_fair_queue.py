"""Several owners with one worker: turns, shares, and the position of a waiting job."""

import pytest

from server.jobs.job import QueueFull, ShareFull
from server.jobs.progress import JobProgress
from server.worker.messages import Ready
from tests.jobs.conftest import Dispatching, outcome


async def test_owners_take_turns(dispatching: Dispatching) -> None:
    async with dispatching("cancels", queue_size=8) as rig:
        await rig.told(Ready)
        running = rig.submit("long", owner="a")
        jobs = [rig.submit(id=f"a{i}", owner="a") for i in range(3)]
        jobs += [rig.submit(id="b0", owner="b"), rig.submit(id="b1", owner="b"), rig.submit(id="none")]

        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in jobs] == ["done"] * 6
        assert rig.ended == ["long", "a0", "b0", "none", "a1", "b1", "a2"]


async def test_no_owner_can_fill_the_queue(dispatching: Dispatching) -> None:
    async with dispatching("cancels", queue_size=4, owner_waiting=2) as rig:
        await rig.told(Ready)
        running = rig.submit("long", owner="a")
        jobs = [rig.submit(id=str(i), owner="a") for i in range(2)]
        with pytest.raises(ShareFull, match="this API key has 3 jobs here") as refusal:
            rig.submit(owner="a")
        assert refusal.value.retry_after_s >= 1

        jobs += [rig.submit(id=str(i), owner="b") for i in range(2)]
        with pytest.raises(QueueFull, match=r"the queue is full \(4 waiting\)"):
            rig.submit(owner="c")
        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in jobs] == ["done"] * 4
        assert await outcome(rig.submit(owner="a")) == "done"


async def test_the_share_applies_once_there_is_a_second_owner(dispatching: Dispatching) -> None:
    owners = {"a"}
    async with dispatching("cancels", queue_size=4, owner_waiting=1, is_shared=lambda: len(owners) > 1) as rig:
        await rig.told(Ready)
        running = rig.submit("long", owner="a")
        jobs = [rig.submit(owner="a"), rig.submit(owner="a")]
        owners.add("b")
        with pytest.raises(ShareFull):
            rig.submit(owner="a")

        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in jobs] == ["done"] * 2


async def test_an_owners_jobs_are_limited_including_the_running_one(dispatching: Dispatching) -> None:
    async with dispatching("cancels", queue_size=4, owner_jobs=1) as rig:
        await rig.told(Ready)
        running = rig.submit("long", owner="a")
        with pytest.raises(ShareFull):
            rig.submit(owner="a")
        others = [rig.submit(owner="b"), rig.submit(), rig.submit()]

        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in others] == ["done"] * 3
        assert await outcome(rig.submit(owner="a")) == "done"


async def test_a_resumed_job_waits_even_if_the_queue_is_full(dispatching: Dispatching) -> None:
    async with dispatching("cancels", queue_size=0) as rig:
        resumed = [rig.job("long"), rig.job(), rig.job()]
        for job in resumed:
            rig.dispatcher.resume(job)
        await rig.told(Ready)
        await resumed[0].begun.wait()

        rig.dispatcher.cancel(resumed[0])
        assert [await outcome(job) for job in resumed] == ["JobCancelled", "done", "done"]


async def test_a_waiting_job_reports_its_position_and_time(dispatching: Dispatching) -> None:
    async with dispatching("cancels") as rig:
        await rig.told(Ready)
        running, first, second = rig.submit("long", owner="a"), rig.submit(owner="a"), rig.submit(owner="a")
        third = rig.submit(owner="b")
        assert [job.progress.value.position for job in (first, second, third)] == [1, 3, 2]
        seconds = [rig.dispatcher.seconds_left(job) for job in (running, first, third, second)]
        known = [second for second in seconds if second is not None]
        assert seconds == sorted(known)

        rig.dispatcher.cancel(first)
        assert [job.progress.value for job in (second, third)] == [JobProgress(position=1), JobProgress(position=2)]
        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in (second, third)] == ["done"] * 2
        assert rig.dispatcher.seconds_left(second) is None


async def test_progress_ends_when_it_is_closed(dispatching: Dispatching) -> None:
    async with dispatching("cancels") as rig:
        await rig.told(Ready)
        job = rig.submit("long")
        seen = []
        async for progress in job.progress.values():
            seen.append(progress)
            if progress.stage:
                job.progress.close()

    assert seen[-1] == JobProgress(running=True, stage="stage_1", step=0, steps=8)
    assert all(not progress.running for progress in seen[:1])
