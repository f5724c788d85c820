"""A dispatcher with real child processes, and the check that nothing is left when it has stopped."""

import asyncio
import gc
import inspect
import itertools
import os
import select
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from pipelines.spec import GenerationSpec, Keyframe
from server.jobs.dispatcher import Dispatcher
from server.jobs.job import Job, JobError
from server.jobs.limits import Limits
from server.telemetry.metrics import Metrics
from server.worker.messages import FromWorker, WorkerConfig

PROGRAMS = Path(__file__).parents[1] / "programs"

# Nothing here takes long; a test that waits this long would wait for ever.
GUARD_S = 60

Event = TypeVar("Event", bound=FromWorker)
Started = Callable[[], list[psutil.Process]]
Dispatching = Callable[..., AbstractAsyncContextManager["Rig"]]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run each async test in its own event loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), GUARD_S))
    return True


def program_of(name: str) -> tuple[str, str]:
    return sys.executable, str(PROGRAMS / f"{name}.py")


class Rig:
    """A dispatcher with its events and jobs. A job's prompt tells the worker's program what to do."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        events: asyncio.Queue[FromWorker],
        folder: Path,
        metrics: Metrics | None = None,
    ) -> None:
        self.dispatcher, self._events, self._folder = dispatcher, events, folder
        self.metrics = metrics or Metrics()
        self.ended: list[str] = []
        self._numbers = itertools.count()

    async def told(self, kind: type[Event]) -> Event:
        """Wait for the next event of this type."""
        while not isinstance(event := await self._events.get(), kind):
            pass
        return event

    def heard(self) -> list[FromWorker]:
        """Return the events that have not been read yet."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Poll until `is_so()`, for a change without an event."""
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0)

    def order(self, fifo: str, what: bytes) -> None:
        (self._folder / fifo).write_bytes(what)

    def job(self, prompt: str = "quick", id: str | None = None, *keyframes: Keyframe, owner: str | None = None) -> Job:
        id = id or prompt
        spec = GenerationSpec(prompt, 1, 256, 256, 9, Fraction(24), keyframes)
        job = Job(id, spec, self._folder / f"{next(self._numbers)}.mp4", owner)
        job.ended.add_done_callback(lambda _: self.ended.append(id))
        return job

    def submit(
        self, prompt: str = "quick", id: str | None = None, *keyframes: Keyframe, owner: str | None = None
    ) -> Job:
        job = self.job(prompt, id, *keyframes, owner=owner)
        self.dispatcher.submit(job)
        return job


async def outcome(job: Job) -> str:
    """Wait for the end of a job; return `done`, or the name of its error."""
    try:
        await job.ended
    except JobError as exc:
        return type(exc).__name__
    return "done"


def has_ended(process: psutil.Process) -> bool:
    """Wait for the end of a process; return False after GUARD_S. A zombie has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], GUARD_S)[0])
    finally:
        os.close(fd)


@pytest.fixture
def started() -> Started:
    """Return a function that lists this test's processes and their children, without those of shared servers."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [process for process in psutil.Process().children(recursive=True) if process not in before]


@pytest.fixture
def dispatching(tmp_path: Path) -> Dispatching:
    """Return an async context manager that runs a dispatcher, given the name of its workers' program."""

    @asynccontextmanager
    async def dispatch(
        name: str, devices: Sequence[str] = ("auto",), fifos: Sequence[str] = (), **limits: float
    ) -> AsyncIterator[Rig]:
        events: asyncio.Queue[FromWorker] = asyncio.Queue()
        metrics = Metrics()

        def on_event(event: FromWorker) -> None:
            metrics.on_event(event)
            events.put_nowait(event)

        dispatcher = Dispatcher(
            [WorkerConfig(cache_dir=tmp_path, device=device) for device in devices],
            Limits(**limits),  # type: ignore[arg-type]
            on_event,
            program=program_of(name),
            on_job=metrics.on_job,
            on_kill=metrics.on_kill,
        )
        timers = _timers()
        for fifo in fifos:
            os.mkfifo(tmp_path / fifo)
        dispatcher.start()
        try:
            yield Rig(dispatcher, events, tmp_path, metrics)
        finally:
            dispatcher.stop()
            await dispatcher.stopped()
        assert _timers() == timers

    return dispatch


def _timers() -> int:
    """Count the loop's timers. One that outlives its job could end another job or kill a worker."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not timer.cancelled() for timer in scheduled)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Check that no process, thread or descriptor outlives a test."""
    before = _held()
    yield
    if _held() != before:
        gc.collect()  # slow: it collects the whole session's heap
    assert _held() == before


def _held() -> tuple[set[int], set[str], int]:
    processes = {child.pid for child in psutil.Process().children()}
    return processes, {thread.name for thread in threading.enumerate()}, len(os.listdir("/proc/self/fd"))
