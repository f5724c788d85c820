"""Send a file whole or in ranges, as RFC 9110 (14.1 to 14.2, 13.1.5) defines them.

Starlette sends the parts. It would refuse malformed and unsatisfiable ranges in plain text and apply ranges to HEAD, so
it sees the range headers only when a part is to be sent.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

OPEN_END = 10**18
# first-last, first- or -suffix, with at most 18 digits each.
_RANGE = re.compile(r"(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18})")


class RangeNotSatisfiable(Exception):
    """Raised if no requested range is in the file."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"Range: the file has {size_bytes} bytes, and none of them is in the range that was asked for")
        self.size_bytes = size_bytes


class RangedFile(FileResponse):
    """A file response that supports ranges. Needs `stat_result`. Raises RangeNotSatisfiable before anything is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(raw=list(scope["headers"]))
        ranges = self._satisfiable(scope["method"], headers)
        del headers["range"], headers["if-range"]
        if ranges:
            headers["range"] = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
        await super().__call__({**scope, "headers": headers.raw}, receive, send)

    def _satisfiable(self, method: str, headers: MutableHeaders) -> list[tuple[int, int]]:
        """Return the ranges to send, or an empty list to send the whole file.

        If-Range must equal the file's ETag, which must be strong, or its date.
        """
        assert self.stat_result is not None
        wanted, validator = headers.get("range"), headers.get("if-range")
        unchanged = validator in (None, self.headers["etag"], self.headers["last-modified"])
        return parse_ranges(wanted, self.stat_result.st_size) if method == "GET" and wanted and unchanged else []


def parse_ranges(header: str, size_bytes: int) -> list[tuple[int, int]]:
    """Return the first and last byte of each range that begins in the file. Raises RangeNotSatisfiable.

    The list is empty if the header must be ignored, because it is malformed or uses another unit.
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
