"""Failures of the worker process, and their effect on jobs."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.jobs.dispatcher import Dispatcher
from server.jobs.job import NotReady
from server.jobs.limits import Limits
from server.jobs.status import State
from server.worker.messages import FromWorker, LoadFailed, Ready, WorkerConfig
from tests.jobs.conftest import Dispatching, Started, has_ended, outcome


async def test_a_crash_fails_only_the_running_job(dispatching: Dispatching) -> None:
    async with dispatching("killed_in_a_render") as rig:
        await rig.told(Ready)
        jobs = [rig.submit(prompt) for prompt in ("before", "die", "after", "last")]

        assert [await outcome(job) for job in jobs[:2]] == ["done", "RenderFailed"]
        assert (rig.dispatcher.status.state, rig.dispatcher.status.queued) == (State.LOADING, 2)
        with pytest.raises(NotReady, match="loading"):
            rig.submit()
        assert [await outcome(job) for job in jobs[2:]] == ["done", "done"]
        assert rig.ended == ["before", "die", "after", "last"]
        assert rig.dispatcher.status.restarts == 1


async def test_each_worker_that_ends_without_a_clip_delays_the_next_one(
    dispatching: Dispatching, caplog: pytest.LogCaptureFixture
) -> None:
    async with dispatching("killed_in_a_render") as rig:
        await rig.told(Ready)
        jobs = [rig.submit(prompt) for prompt in ("die", "a clip", "die", "die", "last")]

        assert [await outcome(job) for job in jobs] == ["RenderFailed", "done", "RenderFailed", "RenderFailed", "done"]
    delays = [record.message for record in caplog.records if "the next worker starts" in record.message]
    assert delays == [f"the next worker starts in {seconds} s" for seconds in (0, 0, 1)]


@pytest.mark.parametrize(
    ("program", "prompt"), [("hangs_in_a_step", "hang"), ("talks_nonsense", "nonsense"), ("closes_its_pipe", "close")]
)
async def test_a_worker_that_does_not_communicate_is_replaced(
    dispatching: Dispatching, started: Started, monkeypatch: pytest.MonkeyPatch, program: str, prompt: str
) -> None:
    monkeypatch.setattr("server.jobs.worker_process.EXIT_S", 0.05)
    async with dispatching(program, grace_s=0.05) as rig:
        await rig.told(Ready)
        job, following = rig.submit(prompt), rig.submit("quick")
        await job.begun.wait()
        first_workers = started()
        if prompt == "hang":
            rig.dispatcher.cancel(job)

        assert await outcome(job) == ("JobCancelled" if prompt == "hang" else "RenderFailed")
        assert await outcome(following) == "done"
        assert all(map(has_ended, first_workers))


async def test_a_question_to_a_worker_that_dies_is_an_error(dispatching: Dispatching) -> None:
    async with dispatching("killed_in_a_render") as rig:
        await rig.told(Ready)
        asked = asyncio.create_task(rig.dispatcher.find_cut("long " * 1000))
        await asyncio.sleep(0)
        rig.submit("die")

        with pytest.raises(NotReady, match="ended before it had read the prompt"):
            await asked


async def test_the_worker_is_killed_after_the_deadline_and_the_grace_period(dispatching: Dispatching) -> None:
    async with dispatching("hangs_in_a_step", deadline_s=0.05, grace_s=0.05) as rig:
        await rig.told(Ready)

        assert await outcome(rig.submit("hang")) == "DeadlineExceeded"
        await rig.told(Ready)
        assert rig.dispatcher.status.state is State.READY


async def test_a_job_given_to_a_dead_worker_goes_to_the_next(dispatching: Dispatching) -> None:
    async with dispatching("dies_before_a_render") as rig:
        await rig.told(Ready)
        jobs = [rig.submit("first"), rig.submit("second")]

        assert [await outcome(job) for job in jobs] == ["done", "done"]
        assert rig.ended == ["first", "second"]


async def test_a_job_that_no_worker_lives_to_begin_fails(dispatching: Dispatching) -> None:
    async with dispatching("dies_before_a_render") as rig:
        await rig.told(Ready)

        assert await outcome(rig.submit("never")) == "RenderFailed"


async def test_a_job_cancelled_before_its_worker_died_does_not_go_to_the_next(dispatching: Dispatching) -> None:
    async with dispatching("dies_before_a_render") as rig:
        await rig.told(Ready)
        job = rig.submit("first")
        rig.dispatcher.cancel(job)

        assert await outcome(job) == "JobCancelled"
        await rig.told(Ready)


async def test_a_worker_may_die_between_jobs(dispatching: Dispatching) -> None:
    async with dispatching("dies_when_idle") as rig:
        await rig.told(Ready)
        jobs = [rig.submit(id=str(i)) for i in range(4)]

        assert [await outcome(job) for job in jobs] == ["done"] * 4


async def test_a_worker_that_exits_while_loading_is_started_again(dispatching: Dispatching) -> None:
    async with dispatching("exits_while_loading") as rig:
        failure = await rig.told(LoadFailed)
        assert "exit code 7" in failure.message
        assert rig.dispatcher.status.state is State.FAILED
        with pytest.raises(NotReady, match="exit code 7"):
            rig.submit()

        await rig.told(Ready)
        assert rig.dispatcher.status.load_error is None
        assert await outcome(rig.submit()) == "done"


async def test_a_worker_that_cannot_load_is_started_again(
    dispatching: Dispatching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.jobs.worker_process.EXIT_S", 0.05)
    async with dispatching("fails_to_load") as rig:
        assert (await rig.told(LoadFailed)).message == "the checkpoint is cut short"
        with pytest.raises(NotReady, match="cut short"):
            rig.submit()

        await rig.told(Ready)
        assert await outcome(rig.submit()) == "done"


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Use up all file descriptors, as a server with the maximum of connections does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as file:
        next_fd = file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_fd, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_server_without_descriptors_starts_its_worker_once_it_has_some(
    dispatching: Dispatching, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.jobs.supervisor.SHORTAGE_RETRY_S", 0.01)
    async with dispatching("obeys", fifos=["orders-auto"]) as rig:
        await rig.told(Ready)
        rig.order("orders-auto", b"d")
        with no_descriptors():
            await rig.until(lambda: "no worker can be started now ([Errno 24]" in caplog.text)
            await asyncio.sleep(0.1)
            assert rig.dispatcher.status.load_error is None
        await rig.told(Ready)

    messages = [record.message for record in caplog.records]
    assert sum("can be started now" in message for message in messages) == 1
    assert [message for message in messages if "the next worker starts" in message] == ["the next worker starts in 0 s"]


async def test_waiting_jobs_fail_if_the_model_cannot_be_loaded_again(dispatching: Dispatching) -> None:
    async with dispatching("never_loads_again") as rig:
        await rig.told(Ready)
        jobs = [rig.submit("running"), rig.submit("a"), rig.submit("b")]

        assert [await outcome(job) for job in jobs] == ["RenderFailed", "NotReady", "NotReady"]
        assert rig.dispatcher.status.load_error == "the checkpoint is gone"


async def test_a_program_that_cannot_be_started_is_a_load_failure(tmp_path: Path) -> None:
    failed: asyncio.Queue[FromWorker] = asyncio.Queue()
    program = (str(tmp_path / "no-such-python"),)
    dispatcher = Dispatcher([WorkerConfig(tmp_path)], Limits(), failed.put_nowait, program)
    dispatcher.start()
    failure = await failed.get()
    assert isinstance(failure, LoadFailed)
    assert "no-such-python" in failure.message
    assert dispatcher.status.state is State.FAILED
    dispatcher.stop()
    await dispatcher.stopped()
