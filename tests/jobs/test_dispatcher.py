"""The dispatcher with a worker that works: order, limits, cancellation and the stop."""

import asyncio
import os
from pathlib import Path

import pytest

from server.jobs.dispatcher import Dispatcher
from server.jobs.job import NotReady, QueueFull
from server.jobs.limits import Limits
from server.jobs.loading import LoadingStatus, Stage
from server.jobs.status import State
from server.worker.messages import FromWorker, Loading, Ready, WorkerConfig
from tests.jobs.conftest import Dispatching, Rig, Started, has_ended, outcome, program_of


async def test_jobs_end_in_the_order_they_were_submitted(dispatching: Dispatching) -> None:
    async with dispatching("behaves", queue_size=8) as rig:
        await rig.told(Ready)
        jobs = [rig.submit(id=str(i)) for i in range(9)]

        assert [await outcome(job) for job in jobs] == ["done"] * 9
        assert rig.ended == [str(i) for i in range(9)]
        assert jobs[8].path.read_text() == "quick"


async def test_a_full_queue_refuses_jobs(dispatching: Dispatching) -> None:
    async with dispatching("cancels", queue_size=1) as rig:
        await rig.told(Ready)
        running, waiting = rig.submit("long"), rig.submit("quick")
        assert not rig.dispatcher.status.admits
        with pytest.raises(QueueFull, match=r"the queue is full \(1 waiting\)") as refusal:
            rig.submit("one too many")
        assert refusal.value.retry_after_s >= 1

        rig.dispatcher.cancel(running)
        assert await outcome(waiting) == "done"
        assert await outcome(rig.submit("room again")) == "done"


async def test_a_queue_of_size_0_accepts_the_job_that_runs(dispatching: Dispatching) -> None:
    async with dispatching("behaves", queue_size=0) as rig:
        await rig.told(Ready)
        first = rig.submit()
        with pytest.raises(QueueFull):
            rig.submit()
        assert await outcome(first) == "done"
        assert await outcome(rig.submit()) == "done"


async def test_jobs_are_refused_while_the_model_loads(dispatching: Dispatching, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    async with dispatching("slow_to_load") as rig:
        await rig.told(Loading)
        assert rig.dispatcher.status.state is State.LOADING
        assert rig.dispatcher.status.loading == LoadingStatus(Stage.LOADING, "transformer", 1, 2)
        with pytest.raises(NotReady, match="loading") as refusal:
            rig.submit()
        assert refusal.value.retry_after_s >= 1

        await asyncio.to_thread((tmp_path / "go").write_bytes, b"go")
        await rig.told(Ready)
        assert await outcome(rig.submit()) == "done"


async def test_a_waiting_job_is_cancelled_at_once(dispatching: Dispatching) -> None:
    async with dispatching("cancels") as rig:
        await rig.told(Ready)
        running, waiting, last = rig.submit("long"), rig.submit("waiting"), rig.submit("last")
        rig.dispatcher.cancel(waiting)
        assert waiting.ended.done()
        assert not running.ended.done()

        rig.dispatcher.cancel(running)
        assert [await outcome(job) for job in (running, waiting, last)] == ["JobCancelled", "JobCancelled", "done"]
        assert not waiting.path.exists()


@pytest.mark.parametrize("program", ["cancels", "done_after_cancel"])
async def test_a_running_job_is_cancelled_and_its_worker_stays(dispatching: Dispatching, program: str) -> None:
    prompt = {"cancels": "long", "done_after_cancel": "late"}[program]
    async with dispatching(program, grace_s=50) as rig:
        await rig.told(Ready)
        job, following = rig.submit(prompt), rig.submit("quick")
        await job.begun.wait()
        rig.dispatcher.cancel(job)
        rig.dispatcher.cancel(job)

        assert [await outcome(job), await outcome(following)] == ["JobCancelled", "done"]
        assert rig.dispatcher.status.restarts == 0


async def test_cancelling_an_ended_job_does_nothing(dispatching: Dispatching) -> None:
    async with dispatching("behaves") as rig:
        await rig.told(Ready)
        job = rig.submit()
        assert await outcome(job) == "done"
        rig.dispatcher.cancel(job)
        rig.dispatcher.cancel(rig.job("never submitted"))

        assert await outcome(job) == "done"
        assert await outcome(rig.submit()) == "done"


async def test_messages_about_an_ended_job_do_not_affect_the_next(dispatching: Dispatching) -> None:
    """The jobs have the same id, as with a client that gives up and retries."""
    async with dispatching("repeats_itself") as rig:
        await rig.told(Ready)
        jobs = [rig.submit(id="same") for _ in range(4)]

        assert [await outcome(job) for job in jobs] == ["done"] * 4
        assert all(job.path.exists() for job in jobs)


async def test_the_workers_error_decides_how_a_job_fails(dispatching: Dispatching) -> None:
    async with dispatching("refuses") as rig:
        await rig.told(Ready)
        jobs = [rig.submit(prompt) for prompt in ("invalid", "fail", "large", "quick")]

        assert [await outcome(job) for job in jobs] == ["RenderRefused", "RenderFailed", "OutOfMemory", "done"]


async def test_a_render_past_its_deadline_is_cancelled(dispatching: Dispatching) -> None:
    async with dispatching("cancels", deadline_s=0.05, grace_s=50) as rig:
        await rig.told(Ready)

        assert await outcome(rig.submit("long")) == "DeadlineExceeded"
        assert rig.dispatcher.status.restarts == 0


async def test_a_large_spec_does_not_wait_for_a_worker_that_never_reads(dispatching: Dispatching) -> None:
    async with dispatching("never_reads", deadline_s=0.05, grace_s=0.05) as rig:
        await rig.told(Ready)

        assert await outcome(rig.submit("x" * 10_000_000, id="large")) == "DeadlineExceeded"


async def test_a_flood_of_progress_does_not_block_the_dispatcher(dispatching: Dispatching) -> None:
    async with dispatching("floods", grace_s=0.05) as rig:
        await rig.told(Ready)
        flood, following = rig.submit("flood"), rig.submit("quick")
        await flood.begun.wait()
        rig.dispatcher.cancel(flood)

        assert [await outcome(flood), await outcome(following)] == ["JobCancelled", "done"]


async def test_a_listener_that_raises_does_not_stop_the_dispatcher(tmp_path: Path) -> None:
    raised = asyncio.Event()

    def listener(event: FromWorker) -> None:
        raised.set()
        raise BrokenPipeError("nobody reads this terminal")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    dispatcher = Dispatcher([WorkerConfig(tmp_path)], Limits(), listener, program_of("behaves"))
    dispatcher.start()
    await raised.wait()
    job = Rig(dispatcher, asyncio.Queue(), tmp_path).submit()
    assert await outcome(job) == "done"
    dispatcher.stop()
    await dispatcher.stopped()


async def test_stop_ends_every_job_and_the_worker(dispatching: Dispatching, started: Started) -> None:
    async with dispatching("hangs_in_a_step") as rig:
        await rig.told(Ready)
        jobs = [rig.submit("hang"), rig.submit("a"), rig.submit("b")]
        await jobs[0].begun.wait()
        processes = started()
        assert len(processes) == 2

        rig.dispatcher.stop()
        await asyncio.sleep(0)
        rig.dispatcher.stop()
        await rig.dispatcher.stopped()
        assert [job.ended.done() for job in jobs] == [True] * 3
        assert [await outcome(job) for job in jobs] == ["NotReady"] * 3
        assert all(map(has_ended, processes))
        with pytest.raises(NotReady, match="the server is stopping"):
            rig.submit()


async def test_stop_does_not_wait_for_the_model_to_load(
    dispatching: Dispatching, started: Started, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    async with dispatching("slow_to_load") as rig:
        await rig.told(Loading)
    assert started() == []


async def test_stop_right_after_start(dispatching: Dispatching, started: Started) -> None:
    async with dispatching("behaves"):
        pass
    async with dispatching("behaves"):
        await asyncio.sleep(0)
    assert started() == []
