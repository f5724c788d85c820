"""Any order of submissions, cancellations, ends, failures, deaths and deadlines: each call does what it says or raises,
and every job ends exactly once, as a model of the queue says it should."""

import asyncio
import os
import tempfile
import time
from collections import Counter, deque
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipelines.spec import GenerationSpec
from server.dispatcher import RESTART_BACKOFF_S, Dispatcher, State
from server.jobs import Job, NotReady, QueueFull, ShareFull
from server.limits import Limits
from server.messages import FromWorker, Ready, WorkerConfig
from tests.jobs.conftest import outcome, program_of

LIMITS = Limits(queue_size=4, deadline_s=100.0, grace_s=50.0, owner_waiting=2, owner_jobs=3)
OWNERS = ("a", "b", None)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: its timers come when the test wants them to."""

    skipped_s = 0.0

    def time(self) -> float:
        return time.monotonic() + self.skipped_s


class Turns:
    """The queue as it should be: owners by turns, jobs of one owner in their order. Slow and plain."""

    def __init__(self) -> None:
        self.owners: list[str | None] = []
        self.lines: dict[str | None, deque[Job]] = {owner: deque() for owner in OWNERS}

    def __len__(self) -> int:
        return sum(map(len, self.lines.values()))

    def push(self, job: Job) -> None:
        if job.owner not in self.owners:
            self.owners.append(job.owner)
        self.lines[job.owner].append(job)

    def pop(self) -> Job:
        owner = self.owners.pop(0)
        job = self.lines[owner].popleft()
        if self.lines[owner]:
            self.owners.append(owner)
        return job

    def remove(self, job: Job) -> None:
        self.lines[job.owner].remove(job)
        if not self.lines[job.owner]:
            self.owners.remove(job.owner)

    def jobs(self) -> list[Job]:
        return [job for line in self.lines.values() for job in line]


class QueueAndWorker(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        os.mkfifo(path / "orders")
        self.orders = os.open(path / "orders", os.O_RDWR)
        self.loop = SkippingLoop()
        self.events: asyncio.Queue[FromWorker] = asyncio.Queue()
        self.jobs: list[Job] = []
        self.ends: Counter[Job] = Counter()
        self.due: dict[Job, str] = {}
        self.waiting, self.running, self.stopped = Turns(), None, False
        self.run(self.start(path))

    def run(self, work):  # type: ignore[no-untyped-def]
        return self.loop.run_until_complete(asyncio.wait_for(work, 20 + LIMITS.deadline_s))

    async def start(self, path: Path) -> None:
        self.dispatcher = Dispatcher(WorkerConfig(path), LIMITS, self.events.put_nowait, program_of("obeys"))
        self.dispatcher.start()
        await self.ready()

    async def ready(self) -> None:
        while not isinstance(await self.events.get(), Ready):
            pass
        await self.begun()

    async def begun(self) -> None:
        """Until the job that should run does."""
        if self.running is None and len(self.waiting) and not self.stopped:
            self.running = self.waiting.pop()
        if self.running is not None:
            async for progress in self.running.progress.values():
                if progress.stage:
                    return

    async def ended(self, job: Job, how: str) -> None:
        """It ends so, and the next one begins."""
        assert await outcome(job) == how
        self.due[job] = how
        self.running = None

    @rule(owners=st.lists(st.sampled_from(OWNERS), min_size=1, max_size=6))
    def submit(self, owners: list[str | None]) -> None:
        for owner in owners:
            self.run(self._submit(owner))

    async def _submit(self, owner: str | None) -> None:
        spec = GenerationSpec("a fox", 1, 256, 256, 9, Fraction(24))
        job = Job(f"{len(self.jobs)}", spec, Path(self.folder.name) / f"{len(self.jobs)}.mp4", owner)
        job.ended.add_done_callback(lambda _: self.ends.update([job]))
        expected = self._refusal(owner)
        if expected is not None:
            with pytest.raises(expected) as refusal:
                self.dispatcher.submit(job)
            assert refusal.type is expected
            return
        self.dispatcher.submit(job)
        self.jobs.append(job)
        self.waiting.push(job)
        await self.begun()

    def _refusal(self, owner: str | None) -> type[Exception] | None:
        held = len(self.waiting.lines[owner])
        jobs = held + (self.running is not None and self.running.owner == owner)
        if self.stopped:
            return NotReady
        if self.running is not None and len(self.waiting) >= LIMITS.queue_size:
            return QueueFull
        is_over = held >= LIMITS.owner_waiting or jobs >= LIMITS.owner_jobs
        return ShareFull if owner is not None and is_over else None

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.run(self._cancel(data.draw(st.sampled_from(self.jobs))))

    async def _cancel(self, job: Job) -> None:
        """One that waits, one that runs, or one that has ended already, which changes nothing."""
        self.dispatcher.cancel(job)
        if job is self.running:
            await self.ended(job, "JobCancelled")
        elif job in self.waiting.jobs():
            self.waiting.remove(job)
            self.due[job] = "JobCancelled"
            assert job.ended.done()
        await self.begun()

    @precondition(lambda self: self.running is not None)
    @rule(order=st.sampled_from([(b"f", "done"), (b"x", "RenderFailed")]))
    def finish_or_fail(self, order: tuple[bytes, str]) -> None:
        self.run(self._order(*order))

    async def _order(self, order: bytes, how: str) -> None:
        os.write(self.orders, order)
        await self.ended(self.running, how)
        await self.begun()

    @precondition(lambda self: not self.stopped)
    @rule()
    def die(self) -> None:
        """The running job fails, those that wait do not; the pause before the next worker is skipped."""
        self.run(self._die())

    async def _die(self) -> None:
        restarts = self.dispatcher.status.worker_restarts
        os.write(self.orders, b"d")
        if self.running is not None:
            await self.ended(self.running, "RenderFailed")
        while self.dispatcher.status.state is State.READY:  # noqa: ASYNC110 (nobody announces it)
            await asyncio.sleep(0)
        self.skip(max(RESTART_BACKOFF_S))
        await self.ready()
        assert self.dispatcher.status.worker_restarts == restarts + 1

    @precondition(lambda self: self.running is not None)
    @rule()
    def deadline(self) -> None:
        self.run(self._deadline())

    async def _deadline(self) -> None:
        self.skip(LIMITS.deadline_s)
        await self.ended(self.running, "DeadlineExceeded")
        await self.begun()

    def skip(self, seconds: float) -> None:
        self.loop.skipped_s += seconds

    @precondition(lambda self: not self.stopped and len(self.jobs) > 3)
    @rule()
    def drain(self) -> None:
        self.run(self._drain())

    async def _drain(self) -> None:
        left = [*self.waiting.jobs(), *([] if self.running is None else [self.running])]
        self.dispatcher.stop()
        await self.dispatcher.stopped()
        self.due |= dict.fromkeys(left, "NotReady")
        self.waiting, self.running, self.stopped = Turns(), None, True

    @invariant()
    def the_dispatcher_is_as_the_model_says(self) -> None:
        status = self.dispatcher.status
        assert status.state is (State.DRAINING if self.stopped else State.READY)
        assert (status.queued, status.running) == (len(self.waiting), self.running is not None)

    @invariant()
    def every_job_waits_runs_or_has_ended_once(self) -> None:
        left = {*self.waiting.jobs(), *([] if self.running is None else [self.running])}
        assert left.isdisjoint(self.due)
        assert left | self.due.keys() == set(self.jobs)
        assert {job for job in self.jobs if job.ended.done()} == self.due.keys()
        assert {job: self.run(outcome(job)) for job in self.due} == self.due

    @invariant()
    def no_owner_has_more_than_a_share(self) -> None:
        for owner in OWNERS[:2]:
            held = len(self.waiting.lines[owner])
            assert held <= LIMITS.owner_waiting
            assert held + (self.running is not None and self.running.owner == owner) <= LIMITS.owner_jobs

    def teardown(self) -> None:
        self.run(self._drain())
        self.run(asyncio.sleep(0))
        assert self.ends == Counter(self.jobs)
        assert {job: self.run(outcome(job)) for job in self.jobs} == self.due
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        os.close(self.orders)
        self.folder.cleanup()


TestQueueAndWorker = QueueAndWorker.TestCase
TestQueueAndWorker.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # A smaller failure takes minutes to find: each try has a process of its own.
    phases=[Phase.generate],
)
