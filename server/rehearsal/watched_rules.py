"""A rehearsal file that is read again when it changes, so that each test can have rules of its own."""

import os
from pathlib import Path

from server.rehearsal.counts import Counts
from server.rehearsal.rules import Rules, RulesError, read_rules

# Changes when the file is written or replaced.
Stamp = tuple[int, int, int]


class WatchedRules:
    """The rules of a file. Their counts begin again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read()

    @property
    def current(self) -> Rules:
        """Return the rules as the file has them now. Raises RulesError as long as it cannot be used."""
        if self._stamp != _stamp_of(self._path):
            self._read()
        if isinstance(self._rules, RulesError):
            raise self._rules
        return self._rules

    def _read(self) -> None:
        self._stamp = _stamp_of(self._path)
        try:
            self._rules: Rules | RulesError = Rules(read_rules(self._path), Counts())
        except RulesError as exc:
            self._rules = exc


def _stamp_of(path: Path) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
