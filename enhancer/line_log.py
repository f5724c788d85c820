"""Log another program's output by lines: long lines are cut, a flood is counted."""

import logging
import re
import time
from collections.abc import Callable

from enhancer.clean import plain

MAX_LINE_BYTES = 2000

# At most this many lines in this many seconds; the others are only counted. SGLang starts with about 50.
MAX_LINES = 200
WINDOW_S = 10.0

# Progress bars return to the beginning of their line.
_LINE_BREAK = re.compile(rb"[\r\n]+")
_COLOR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class LineLog:
    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._rest = b""
        self._window_began = clock()
        self._lines = self._left_out = 0

    def feed(self, data: bytes) -> None:
        *lines, rest = _LINE_BREAK.split(self._rest + data)
        self._rest = rest[:MAX_LINE_BYTES]
        for line in lines:
            self._log_line(line)

    def close(self) -> None:
        """Log the rest: the last line may have no end."""
        self._log_line(self._rest)
        self._rest = b""
        self._begin_window()

    def _log_line(self, line: bytes) -> None:
        if not line.strip():
            return
        if self._clock() - self._window_began >= WINDOW_S:
            self._begin_window()
        self._lines += 1
        if self._lines > MAX_LINES:
            self._left_out += 1
        else:
            text = _COLOR.sub(b"", line[:MAX_LINE_BYTES]).decode("utf-8", "replace")
            self._log.info("%s", plain(text))

    def _begin_window(self) -> None:
        if self._left_out:
            self._log.warning("%d more lines were left out", self._left_out)
        self._window_began = self._clock()
        self._lines = self._left_out = 0
