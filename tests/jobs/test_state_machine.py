"""Submissions, cancellations, ends, failures, deaths and deadlines in random order, of jobs in each of three places.

A simple model of the queue and of the workers' places predicts each refusal, which job is prepared, and how each job
ends; every job ends exactly once.
"""

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

from pipelines.spec import GenerationSpec, Keyframe
from server.jobs.dispatcher import Dispatcher
from server.jobs.job import Job, NotReady, QueueFull, ShareFull
from server.jobs.limits import Limits
from server.jobs.status import State
from server.jobs.supervisor import RESTART_BACKOFF_S
from server.worker.messages import FromWorker, Ready, WorkerConfig
from tests.jobs.conftest import outcome, program_of

# Far apart, so that skipping a pause passes no deadline, and skipping a deadline passes no heartbeat.
OWNER_WAITING, OWNER_JOBS = 2, 3
LIMITS = Limits(
    queue_size=4, deadline_s=1e6, grace_s=1e3, heartbeat_s=1e9, owner_waiting=OWNER_WAITING, owner_jobs=OWNER_JOBS
)
OWNERS = ("a", "b", None)
# Each starts several processes.
EXAMPLES = 100 if settings.get_current_profile_name() == "nightly" else 5


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock the test can move forward."""

    skipped_s = 0.0

    def time(self) -> float:
        return time.monotonic() + self.skipped_s


class Turns:
    """A simple model of the queue: owners take turns, and the jobs of one owner keep their order."""

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

    def next_job(self) -> Job | None:
        return self.lines[self.owners[0]][0] if self.owners else None

    def jobs(self) -> list[Job]:
        return [job for line in self.lines.values() for job in line]


class QueueAndWorkers(RuleBasedStateMachine):
    """The dispatcher and its model. A seat is a worker's device; the first free seat gets the next job.

    A decoded job leaves its seat to the next one while its file is finished. The next job in the queue is prepared if
    it has an image.
    """

    WORKERS = 1

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.orders = [self.fifo(path / f"orders-{seat}") for seat in range(self.WORKERS)]
        self.loop = SkippingLoop()
        self.events: asyncio.Queue[FromWorker] = asyncio.Queue()
        self.jobs: list[Job] = []
        self.ends: Counter[Job] = Counter()
        self.due: dict[Job, str] = {}
        self.waiting, self.draining = Turns(), False
        self.seats: list[Job | None] = [None] * self.WORKERS
        self.decoded: list[Job | None] = [None] * self.WORKERS
        self.next_job: Job | None = None
        self.prepared: set[Job] = set()
        self.run(self.start(path))

    @staticmethod
    def fifo(path: Path) -> int:
        os.mkfifo(path)
        return os.open(path, os.O_RDWR)

    def run(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 20 + LIMITS.deadline_s))

    async def start(self, path: Path) -> None:
        configs = [WorkerConfig(path, device=str(seat)) for seat in range(self.WORKERS)]
        self.dispatcher = Dispatcher(configs, LIMITS, self.events.put_nowait, program_of("obeys"))
        self.dispatcher.start()
        for _ in configs:
            await self.ready()

    async def ready(self) -> None:
        while not isinstance(await self.events.get(), Ready):
            pass

    @property
    def running(self) -> list[Job]:
        return [job for job in (*self.seats, *self.decoded) if job is not None]

    def seat_of(self, job: Job) -> int:
        return self.seats.index(job) if job in self.seats else self.decoded.index(job)

    def take_seats(self) -> None:
        for seat, job in enumerate(self.seats):
            if job is None and len(self.waiting):
                self.seats[seat] = taken = self.waiting.pop()
                if taken is self.next_job:
                    self.prepared.add(taken)
        self.next_job = self.waiting.next_job() if None not in self.seats else None

    async def begun(self) -> None:
        """Wait until the jobs that should run have begun."""
        self.take_seats()
        for job in self.running:
            async for progress in job.progress.values():
                if progress.stage:
                    break

    async def ended(self, job: Job, how: str) -> None:
        assert await outcome(job) == how
        self.due[job] = how
        places = self.seats if job in self.seats else self.decoded
        places[places.index(job)] = None
        # With two workers, times decide which of them prepares a job.
        if how == "done" and self.WORKERS == 1:
            expected = "prepared" if job in self.prepared and job.spec.keyframes else job.spec.prompt
            assert job.path.read_text() == expected

    @rule(owners=st.lists(st.sampled_from(OWNERS), min_size=1, max_size=6), data=st.data())
    def submit(self, owners: list[str | None], data: st.DataObject) -> None:
        for owner in owners:
            self.run(self._submit(owner, has_image=data.draw(st.booleans())))

    async def _submit(self, owner: str | None, *, has_image: bool) -> None:
        keyframes = (Keyframe(Path("never-read.png")),) if has_image else ()
        spec = GenerationSpec("a fox", 1, 256, 256, 9, Fraction(24), keyframes)
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
        jobs = held + sum(job.owner == owner for job in self.running)
        if self.draining:
            return NotReady
        if None not in self.seats and len(self.waiting) >= LIMITS.queue_size:
            return QueueFull
        is_over = held >= OWNER_WAITING or jobs >= OWNER_JOBS
        return ShareFull if owner is not None and is_over else None

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.run(self._cancel(data.draw(st.sampled_from(self.jobs))))

    async def _cancel(self, job: Job) -> None:
        """Cancel a waiting or a running job, or one that has ended, which changes nothing."""
        self.dispatcher.cancel(job)
        if job in self.running:
            await self.ended(job, "JobCancelled")
        elif job in self.waiting.jobs():
            self.waiting.remove(job)
            self.due[job] = "JobCancelled"
            assert job.ended.done()
        await self.begun()

    @precondition(lambda self: self.running)
    @rule(order=st.sampled_from([(b"f", "done"), (b"x", "RenderFailed")]), data=st.data())
    def finish_or_fail(self, order: tuple[bytes, str], data: st.DataObject) -> None:
        """End a job on a device, or a decoded one, which the same letter in capitals means."""
        self.run(self._order(data.draw(st.sampled_from(self.running)), *order))

    async def _order(self, job: Job, order: bytes, how: str) -> None:
        os.write(self.orders[self.seat_of(job)], order if job in self.seats else order.upper())
        await self.ended(job, how)
        await self.begun()

    def decodable(self) -> list[int]:
        """Return the seats whose job can be decoded: a worker has at most one decoded job."""
        places = zip(self.seats, self.decoded, strict=True)
        return [seat for seat, (job, decoded) in enumerate(places) if job is not None and decoded is None]

    @precondition(lambda self: self.decodable())
    @rule(data=st.data())
    def decode(self, data: st.DataObject) -> None:
        self.run(self._decode(data.draw(st.sampled_from(self.decodable()))))

    async def _decode(self, seat: int) -> None:
        job = self.seats[seat]
        assert job is not None
        os.write(self.orders[seat], b"m")
        while job.decoded_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        self.seats[seat], self.decoded[seat] = None, job
        # A draining worker takes no further job, and nothing waits then.
        await self.begun()

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Kill a worker: only its jobs fail. Skip the pause before the next worker."""
        self.run(self._die(data.draw(st.sampled_from(self.alive()))))

    def alive(self) -> list[int]:
        """Return the seats that have a worker: during a drain, only those with a job."""
        places = zip(self.seats, self.decoded, strict=True)
        return [seat for seat, jobs in enumerate(places) if any(jobs) or not self.draining]

    async def _die(self, seat: int) -> None:
        jobs, restarts = (self.seats[seat], self.decoded[seat]), self.dispatcher.status.restarts
        os.write(self.orders[seat], b"d")
        for job in filter(None, jobs):
            await self.ended(job, "RenderFailed")
        if jobs[0] is not None:
            self.next_job = None
        if self.draining:
            return
        ready = asyncio.create_task(self.ready())
        while not ready.done():
            self.skip(max(RESTART_BACKOFF_S))
            await asyncio.wait({ready}, timeout=0.05)
        await self.begun()
        assert self.dispatcher.status.restarts == restarts + 1

    @precondition(lambda self: self.running)
    @rule()
    def deadline(self) -> None:
        self.run(self._deadline())

    async def _deadline(self) -> None:
        """Pass the deadline of all running jobs, in the order in which they notice; later jobs have new deadlines."""
        self.skip(LIMITS.deadline_s)
        late = self.running
        await asyncio.wait([job.ended for job in late])
        for job in sorted(late, key=list(self.ends).index):
            await self.ended(job, "DeadlineExceeded")
            self.take_seats()
        await self.begun()

    def skip(self, seconds: float) -> None:
        self.loop.skipped_s += seconds

    @precondition(lambda self: not self.draining and len(self.jobs) > 3)
    @rule()
    def drain(self) -> None:
        """Drain: waiting jobs end, running jobs may finish."""
        self.dispatcher.drain()
        self.due |= dict.fromkeys(self.waiting.jobs(), "NotReady")
        self.waiting, self.draining, self.next_job = Turns(), True, None

    @precondition(lambda self: len(self.jobs) > 6)
    @rule()
    def stop(self) -> None:
        self.run(self._stop())

    async def _stop(self) -> None:
        left = [*self.waiting.jobs(), *self.running]
        self.dispatcher.stop()
        await self.dispatcher.stopped()
        self.due |= dict.fromkeys(left, "NotReady")
        self.waiting, self.draining = Turns(), True
        self.seats, self.decoded = [None] * self.WORKERS, [None] * self.WORKERS

    @invariant()
    def the_dispatcher_agrees_with_the_model(self) -> None:
        status = self.dispatcher.status
        assert status.state is (State.DRAINING if self.draining else State.READY)
        assert (status.queued, status.running) == (len(self.waiting), len(self.running))
        assert [worker.running for worker in status.workers] == [
            any(places) for places in zip(self.seats, self.decoded, strict=True)
        ]

    @invariant()
    def every_job_waits_or_runs_or_has_ended_once(self) -> None:
        left = {*self.waiting.jobs(), *self.running}
        assert left.isdisjoint(self.due)
        assert left | self.due.keys() == set(self.jobs)
        assert {job for job in self.jobs if job.ended.done()} == self.due.keys()
        assert {job: self.run(outcome(job)) for job in self.due} == self.due

    @invariant()
    def no_owner_has_more_than_a_share(self) -> None:
        for owner in OWNERS[:2]:
            held = len(self.waiting.lines[owner])
            assert held <= OWNER_WAITING
            assert held + sum(job.owner == owner for job in self.running) <= OWNER_JOBS

    def teardown(self) -> None:
        self.run(self._stop())
        self.run(asyncio.sleep(0))
        assert self.ends == Counter(self.jobs)
        assert {job: self.run(outcome(job)) for job in self.jobs} == self.due
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        for orders in self.orders:
            os.close(orders)
        self.folder.cleanup()


class QueueAndTwoWorkers(QueueAndWorkers):
    WORKERS = 2


TestQueueAndWorker = QueueAndWorkers.TestCase
TestQueueAndTwoWorkers = QueueAndTwoWorkers.TestCase
TestQueueAndWorker.settings = TestQueueAndTwoWorkers.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # No shrinking: each attempt starts processes, so finding a smaller failure takes minutes.
    phases=[Phase.generate],
)
