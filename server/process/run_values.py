"""The values in answers that differ from run to run: times, durations, ids, random seeds, memory."""

import hashlib
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping


class RunValues:
    """The real values. now_s: returns Unix seconds."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self.now_s = now_s

    def created_s(self) -> float:
        """Return the time at which something is created now."""
        return self.now_s()

    def ended_s(self, created_s: float) -> float:
        """Return the time at which something ends now that was created at `created_s`."""
        return self.now_s()

    def request_id(self, kind: str) -> str:
        """Return a new id of 32 hexadecimal digits. kind: of the request, such as `GET /health`."""
        return uuid.uuid4().hex

    def id_suffix(self) -> str:
        """Return 20 hexadecimal digits that make an id hard to guess."""
        return secrets.token_hex(10)

    def seed(self, drawn: int) -> int:
        """Return the seed to use in place of one that was drawn at random."""
        return drawn

    def timings_s(self, measured: Mapping[str, float]) -> dict[str, float]:
        return dict(measured)

    def uptime_s(self, measured: float) -> float:
        return measured

    def memory_bytes(self, measured: int | None) -> int | None:
        return measured


class FixedRunValues(RunValues):
    """Made-up values, the same in each run for the same sequence of requests. For tests only.

    The time stands still, except that each creation takes a second, as does each end.
    """

    START_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
    STAGE_S = 0.5
    MEMORY_BYTES = 2**30

    def __init__(self) -> None:
        super().__init__(lambda: self.START_S + self._created)
        self._created = self._drawn = 0
        self._requests: Counter[str] = Counter()

    def created_s(self) -> float:
        self._created += 1
        return self.now_s()

    def ended_s(self, created_s: float) -> float:
        return created_s + 1

    def request_id(self, kind: str) -> str:
        """Count the requests of each kind by itself, because clients ask for the health a varying number of times."""
        self._requests[kind] += 1
        return hashlib.sha256(f"{kind} {self._requests[kind]}".encode()).hexdigest()[:32]

    def id_suffix(self) -> str:
        return f"{self._created:020x}"

    def seed(self, drawn: int) -> int:
        self._drawn += 1
        return self._drawn

    def timings_s(self, measured: Mapping[str, float]) -> dict[str, float]:
        return dict.fromkeys(measured, self.STAGE_S)

    def uptime_s(self, measured: float) -> float:
        return 0.0

    def memory_bytes(self, measured: int | None) -> int | None:
        return self.MEMORY_BYTES
