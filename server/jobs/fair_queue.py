"""Jobs that wait: those of one owner in their order, owners by turns. Knows no worker."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from server.jobs.job import Job


class FairQueue:
    """A line for each owner; who has just been served goes to the end of the owners."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str | None, deque[Job]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Job]:
        """In the order in which they will be served if none comes or goes."""
        lines = deque(map(deque, self._lines.values()))
        while lines:
            line = lines.popleft()
            yield line.popleft()
            if line:
                lines.append(line)

    def held_by(self, owner: str | None) -> int:
        return len(self._lines.get(owner, ()))

    def push(self, job: Job) -> None:
        self._lines.setdefault(job.owner, deque()).append(job)

    def push_front(self, job: Job) -> None:
        """It has had its turn, and comes before everyone."""
        self._lines.setdefault(job.owner, deque()).appendleft(job)
        self._lines.move_to_end(job.owner, last=False)

    def pop(self) -> Job:
        """Raises IndexError when none waits."""
        if not self._lines:
            raise IndexError("no job waits")
        owner, line = self._lines.popitem(last=False)
        job = line.popleft()
        if line:
            self._lines[owner] = line
        return job

    def remove(self, job: Job) -> bool:
        """Whether it was here."""
        line = self._lines.get(job.owner, deque())
        if job not in line:
            return False
        line.remove(job)
        if not line:
            del self._lines[job.owner]
        return True

    def clear(self) -> list[Job]:
        """All of them, in the order of their turns; none waits any more."""
        jobs = list(self)
        self._lines.clear()
        return jobs
