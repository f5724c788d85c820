"""What was snapped, clamped or ignored, as the answer shows it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from server.contract.summary import shorten, summarize

MAX_HEADER_BYTES = 4096
# Room for the entry that says how many were left out.
LEFT_OUT_BYTES = 160


@dataclass(frozen=True)
class Adjustment:
    """A documented field that was not used as it was requested.

    `requested` and `used` may be given anything: what is kept is a short JSON scalar. None: not sent, or not used.
    """

    field: str
    requested: object
    used: object
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", shorten(self.field))
        object.__setattr__(self, "requested", summarize(self.requested))
        object.__setattr__(self, "used", summarize(self.used))


def adjustments_json(adjustments: Sequence[Adjustment]) -> list[dict[str, Any]]:
    return [asdict(adjustment) for adjustment in adjustments]


def adjustments_header(adjustments: Sequence[Adjustment]) -> str:
    """The JSON list in printable ASCII and at most 4 KiB: what does not fit is counted in a last entry."""
    entries = [_dump(adjustment) for adjustment in adjustments]
    text = _array(entries)
    if len(text) <= MAX_HEADER_BYTES:
        return text
    ends = accumulate(len(entry) + 1 for entry in entries)
    shown = sum(end <= MAX_HEADER_BYTES - LEFT_OUT_BYTES for end in ends)
    return _array([*entries[:shown], _dump(_left_out(len(entries), shown))])


def _left_out(total: int, shown: int) -> Adjustment:
    return Adjustment("adjustments", total, shown, f"{total - shown} more left out of this header")


def _dump(adjustment: Adjustment) -> str:
    text = json.dumps(asdict(adjustment), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # JSON leaves DEL as it is; a header must not hold it.
    return text.replace("\x7f", "\\u007f")


def _array(entries: Sequence[str]) -> str:
    return f"[{','.join(entries)}]"
