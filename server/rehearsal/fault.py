"""A fault, as the header X-LTX-Rehearse and the rehearsal file write it: `status=429; retry-after=3; times=2`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.contract.errors import shorten
from server.rehearsal.scenarios import SCENARIOS

DROPS = ("connection", "halfway")
CORRUPTIONS = ("truncated", "empty", "html")
MAX_SLOW_S = 3600
MAX_WAIT_S = 86_400
MAX_TIMES = 1_000_000
_KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")
_RATE = re.compile(r"([0-9]{1,9})(b|kb|mb)?")
_UNITS = {None: 1, "b": 1, "kb": 1000, "mb": 1_000_000}


class FaultError(ValueError):
    """A fault that cannot be read; the message names the part and says what would be right."""


@dataclass(frozen=True)
class Fault:
    """Describes what goes wrong with an answer, and how often. `text` is the fault in its own notation.

    slow_s: passes before anything else. times, for_s: the number of requests, or the seconds since the first one, after
    which answers are real again. key: what these requests have in common.
    """

    text: str
    status: int | None = None
    retry_after_s: int | None = None
    drop: str | None = None
    corrupt: str | None = None
    slow_s: float = 0.0
    trickle_bytes_per_s: int | None = None
    times: int | None = None
    for_s: float | None = None
    key: str | None = None

    @property
    def is_limited(self) -> bool:
        return self.times is not None or self.for_s is not None


@dataclass(frozen=True)
class _Part:
    """A part of a fault: the field it sets, how its value is read, and which values there are."""

    field: str
    read: Callable[[str], Any]
    right: str


def parse_fault(text: str) -> Fault:
    """Read a fault. Parts of a scenario are replaced by those that stand beside it. Raises FaultError."""
    parts = _split(text)
    name = parts.pop("scenario", None)
    if name is not None:
        if name not in SCENARIOS:
            raise FaultError(f"scenario: {shorten(name)!r} is not one of {', '.join(SCENARIOS)}")
        parts = _split(SCENARIOS[name]) | parts
    values = {PARTS[part].field: _read(part, value) for part, value in parts.items()}
    canonical = "; ".join(f"{part}={value}" for part, value in parts.items())
    fault = Fault(text=canonical, **values)
    _validate(fault)
    return fault


def _split(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _, value = map(str.strip, part.partition("="))
        name = name.lower()
        if not value or not (name in PARTS or name == "scenario"):
            known = ", ".join(["scenario", *PARTS])
            raise FaultError(f"{shorten(part)!r} is not a part: write NAME=VALUE with one of {known}")
        if name in parts:
            raise FaultError(f"{name}: is given twice")
        parts[name] = value
    if not parts:
        raise FaultError("is empty: write a fault such as status=429; retry-after=3")
    return parts


def _read(name: str, value: str) -> Any:
    try:
        return PARTS[name].read(value)
    except ValueError as exc:
        raise FaultError(f"{name}: {shorten(value)!r} should be {PARTS[name].right}") from exc


def _validate(fault: Fault) -> None:
    """Raise FaultError if the parts contradict each other."""
    ends = [name for name in ("status", "drop", "corrupt") if getattr(fault, name) is not None]
    if len(ends) > 1:
        raise FaultError(f"{ends[1]}: cannot be combined with {ends[0]}; an answer ends in one way")
    if fault.retry_after_s is not None and fault.status is None:
        raise FaultError("retry-after: needs a status, such as status=429")
    if fault.trickle_bytes_per_s is not None and (fault.status is not None or fault.drop == "connection"):
        raise FaultError(f"trickle: cannot be combined with {ends[0]}, which sends no clip")
    if not ends and not fault.slow_s and fault.trickle_bytes_per_s is None:
        raise FaultError("has no fault: add status, drop, corrupt, slow or trickle")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(value)
        return int(value)

    return read


def _seconds(most: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value) or not 0 < float(value) <= most:
            raise ValueError(value)
        return float(value)

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(value)
        return value

    return read


def _rate(value: str) -> int:
    match = _RATE.fullmatch(value)
    if match is None or int(match[1]) == 0:
        raise ValueError(value)
    return int(match[1]) * _UNITS[match[2]]


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError(value)
    return value


PARTS: Mapping[str, _Part] = {
    "status": _Part("status", _whole(400, 599), "a status from 400 to 599, such as 429"),
    "retry-after": _Part("retry_after_s", _whole(0, MAX_WAIT_S), f"whole seconds up to {MAX_WAIT_S}, such as 3"),
    "drop": _Part("drop", _one_of(DROPS), f"one of {', '.join(DROPS)}"),
    "corrupt": _Part("corrupt", _one_of(CORRUPTIONS), f"one of {', '.join(CORRUPTIONS)}"),
    "slow": _Part("slow_s", _seconds(MAX_SLOW_S), f"seconds up to {MAX_SLOW_S}, such as 30"),
    "trickle": _Part("trickle_bytes_per_s", _rate, "bytes a second, such as 500, 64kb or 1mb"),
    "times": _Part("times", _whole(1, MAX_TIMES), f"a number of requests up to {MAX_TIMES}, such as 2"),
    "for": _Part("for_s", _seconds(MAX_WAIT_S), f"seconds up to {MAX_WAIT_S}, such as 40"),
    "key": _Part("key", _key, "1 to 128 letters, digits and . _ -, such as run-1"),
}
