"""Fetch weights in a process of its own, which a server kills when it stops.

Run as `python -P -m server.fetching.main FD`, where FD is its end of a socket pair. One JSON object per line: in comes
`{"weights_dir", "names", "log_level", "log_format"}`, the names of the weights by role. Out go
`{"stage", "name", "done_bytes", "total_bytes"}`, and at the end `{"error"}`, which is null if everything is there.
"""

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from enhancer.child_setup import die_with_parent, parent_streams
from server.jobs.loading import Stage
from server.process.logs import configure_logging
from weights.disk import format_bytes
from weights.download import pull
from weights.errors import WeightsError
from weights.progress import Progress
from weights.registry import REGISTRY, Registry, Role, WeightSet
from weights.retry import DELAYS_S
from weights.store import Store

log = logging.getLogger("ltx23.weights")

# Limits the number of messages.
INTERVAL_S = 0.2


class Report(Progress):
    """Sends the progress, and logs the rest."""

    def __init__(self, sent: TextIO) -> None:
        self._sent = sent
        self._sent_at = 0.0
        self._stage, self._name = Stage.FETCHING, ""
        self._file_bytes = self._verified_bytes = self._total_bytes = 0
        self._arrived_bytes: dict[str, int] = {}

    def expect(self, total_bytes: int, arrived_bytes: Mapping[str, int]) -> None:
        self._total_bytes, self._arrived_bytes = total_bytes, dict(arrived_bytes)
        log.info("fetching %s, of which %s are here", *map(format_bytes, (total_bytes, sum(arrived_bytes.values()))))

    def begin(self, activity: str, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        self._stage = Stage.VERIFYING if activity == "verifying" else Stage.FETCHING
        self._name, self._file_bytes, self._verified_bytes = name, total_bytes, 0
        if self._stage is Stage.FETCHING:
            self._arrived_bytes[name] = done_bytes
        self._send()

    def advance(self, count_bytes: int) -> None:
        if self._stage is Stage.FETCHING:
            self._arrived_bytes[self._name] += count_bytes
        else:
            self._verified_bytes += count_bytes
        if time.monotonic() - self._sent_at >= INTERVAL_S:
            self._send()

    def note(self, sentence: str) -> None:
        log.warning("%s", sentence)

    def arrived(self, name: str, size_bytes: int) -> None:
        log.info("%s: %s, verified", name, format_bytes(size_bytes))

    def _send(self) -> None:
        is_fetching = self._stage is Stage.FETCHING
        done_bytes = sum(self._arrived_bytes.values()) if is_fetching else self._verified_bytes
        total_bytes = self._total_bytes if is_fetching else self._file_bytes
        send(self._sent, stage=self._stage, name=self._name, done_bytes=done_bytes, total_bytes=total_bytes)
        self._sent_at = time.monotonic()


def send(sent: TextIO, **message: Any) -> None:
    sent.write(json.dumps(message) + "\n")
    sent.flush()


def run(received: Iterable[str], sent: TextIO, registry: Registry, delays_s: Sequence[float]) -> None:
    order = json.loads(next(iter(received)))
    configure_logging(order["log_level"], order["log_format"])
    parts = tuple(registry.names_of(Role(role))[name] for role, name in order["names"].items())
    try:
        pull(WeightSet("missing", "", parts), Store(Path(order["weights_dir"])), Report(sent), delays_s)
    except (WeightsError, OSError) as exc:
        send(sent, error=str(exc))
    else:
        send(sent, error=None)


def main(registry: Registry = REGISTRY, delays_s: Sequence[float] = DELAYS_S) -> None:
    die_with_parent()
    with parent_streams(int(sys.argv[1])) as (received, sent):
        run(received, sent, registry, delays_s)


if __name__ == "__main__":
    main()
