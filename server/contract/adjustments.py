"""Record what was snapped, clamped or ignored while a request is resolved, and show it in the answer."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from server.contract.errors import FieldError, Loc, RequestInvalid, shorten
from server.contract.names.sent import SentRequest

# Keeps all headers of a clip below 4 KiB, nginx's default buffer for headers.
MAX_HEADER_BYTES = 2000
# Room for the entry that counts those left out.
LEFT_OUT_BYTES = 160

MAX_SHOWN_BITS = 212  # the largest integer shown in full; 64 decimal digits


@dataclass(frozen=True)
class Adjustment:
    """A field that was not used as it was sent.

    `requested` and `used` accept any value and keep a short JSON scalar. None: not sent, or not used.
    """

    field: str
    requested: object
    used: object
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", shorten(self.field))
        object.__setattr__(self, "requested", _summarize(self.requested))
        object.__setattr__(self, "used", _summarize(self.used))

    def refusal(self, loc: Loc) -> FieldError:
        """Return the error that strict handling answers instead of this adjustment."""
        return FieldError(loc, f"Would be adjusted, which handling=strict refuses: {self.reason}", "adjustment_refused")


class Report:
    """The adjustments of one request, each with the location of its field in the body."""

    def __init__(self, sent: SentRequest) -> None:
        self._sent = sent
        self._found: list[tuple[Loc, Adjustment]] = []

    def as_sent(self, loc: Loc) -> Loc:
        return self._sent.as_sent(loc)

    def add(self, field: str, used: object, reason: str, *, path: Loc | None = None) -> None:
        """Add a field that was not used as it was sent. `path`: the location of its value, if that is not `field`."""
        path = path or (field,)
        self.add_sent(self._sent.as_sent(path), Adjustment(field, self._sent.value_at(path), used, reason))

    def add_sent(self, loc: Loc, adjustment: Adjustment) -> None:
        self._found.append((loc, adjustment))

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        return tuple(adjustment for _, adjustment in self._found)

    def raise_if_any(self) -> None:
        """Raise RequestInvalid for every adjustment, as strict handling demands."""
        if self._found:
            raise RequestInvalid([adjustment.refusal(loc) for loc, adjustment in self._found])


def adjustments_json(adjustments: Sequence[Adjustment]) -> list[dict[str, Any]]:
    return [asdict(adjustment) for adjustment in adjustments]


def adjustments_header(adjustments: Sequence[Adjustment]) -> str:
    """Return the JSON list in printable ASCII, at most 2,000 bytes; a last entry counts those that do not fit."""
    text = _array(adjustments)
    if len(text) <= MAX_HEADER_BYTES:
        return text
    ends = accumulate(len(_dump(adjustment)) + 1 for adjustment in adjustments)
    shown = sum(end <= MAX_HEADER_BYTES - LEFT_OUT_BYTES for end in ends)
    return _array(shorten_list(adjustments, shown))


def shorten_list(adjustments: Sequence[Adjustment], shown: int) -> Sequence[Adjustment]:
    """Return the first `shown` adjustments, plus an entry that counts the others if there are any."""
    total = len(adjustments)
    if total <= shown:
        return adjustments
    return [*adjustments[:shown], Adjustment("adjustments", total, shown, f"{total - shown} more left out here")]


def _dump(adjustment: Adjustment) -> str:
    text = json.dumps(asdict(adjustment), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # JSON does not escape DEL, which a header must not contain.
    return text.replace("\x7f", "\\u007f")


def _array(adjustments: Sequence[Adjustment]) -> str:
    return f"[{','.join(map(_dump, adjustments))}]"


def _summarize(value: object) -> str | int | float | None:
    """Return `value` itself if it is a short scalar, else a description of it."""
    match value:
        case None | bool():
            return value
        case int():
            return value if value.bit_length() <= MAX_SHOWN_BITS else _long_integer(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return shorten(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
    return f"a {type(value).__name__}"


def _long_integer(value: int) -> str:
    return f"an integer of about {int(value.bit_length() * math.log10(2)) + 1} digits"
