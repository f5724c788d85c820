"""Send a file whole or in ranges, as RFC 9110 (14.1 to 14.2, 13.1.5) defines them.

Starlette sends the parts. It also refuses malformed and unsatisfiable ranges in plain text and applies ranges to HEAD,
so it is given only the headers for which a part is sent.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

OPEN_END = 10**18
# first-last, first- or -suffix, with at most 18 digits.
_RANGE = re.compile(r"(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18})")


class RangeNotSatisfiable(Exception):
    """None of the requested ranges is in the file."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"Range: the file has {size_bytes} bytes, and none of them is in the range that was asked for")
        self.size_bytes = size_bytes


class RangedFile(FileResponse):
    """A file response with ranges; needs its `stat_result`. Raises RangeNotSatisfiable before anything is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(raw=list(scope["headers"]))
        ranges = self._satisfiable(scope["method"], headers)
        del headers["range"], headers["if-range"]
        if ranges:
            headers["range"] = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
        await super().__call__({**scope, "headers": headers.raw}, receive, send)

    def _satisfiable(self, method: str, headers: MutableHeaders) -> list[tuple[int, int]]:
        """Return the ranges to send; empty means the whole file.

        If-Range needs a strong ETag or a date, equal to the file's own.
        """
        assert self.stat_result is not None
        wanted, validator = headers.get("range"), headers.get("if-range")
        unchanged = validator in (None, self.headers["etag"], self.headers["last-modified"])
        return parse_ranges(wanted, self.stat_result.st_size) if method == "GET" and wanted and unchanged else []


def parse_ranges(header: str, size_bytes: int) -> list[tuple[int, int]]:
    """Return the first and last byte of each range that begins in the file.

    Empty if the header has to be ignored: another unit, or malformed. Raises RangeNotSatisfiable.
    """
    unit, _, specs = header.partition("=")
    try:
        ranges = [_parse_range(spec, size_bytes) for spec in map(str.strip, specs.split(",")) if spec]
    except ValueError:
        return []
    if unit.lower() != "bytes" or not ranges:
        return []
    satisfiable = [(first, last) for first, last in ranges if first < size_bytes]
    if not satisfiable:
        raise RangeNotSatisfiable(size_bytes)
    return satisfiable


def _parse_range(spec: str, size_bytes: int) -> tuple[int, int]:
    """Parse one range. Raises ValueError if it is malformed."""
    match = _RANGE.fullmatch(spec)
    if match is None:
        raise ValueError(spec)
    if match["suffix"]:
        return max(0, size_bytes - int(match["suffix"])), size_bytes - 1
    first, last = int(match["first"]), int(match["last"] or OPEN_END)
    if last < first:
        raise ValueError(spec)
    return first, min(last, size_bytes - 1)
