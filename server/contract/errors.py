"""The error for a request that cannot be used, and how a client's names and texts are shown in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

# A path into the body, with the names that were sent: ("keyframes", 1, "image_b64").
Loc = tuple[str | int, ...]

MAX_ERRORS_SHOWN = 100
MAX_SHOWN_CHARS = 64


def dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))


def shorten(text: str) -> str:
    """Return `text` in at most 64 characters, all of them encodable."""
    if len(text) > MAX_SHOWN_CHARS:
        ending = f"... ({len(text)} characters)"
        text = text[: MAX_SHOWN_CHARS - len(ending)] + ending
    # A lone surrogate would otherwise fail later, when the answer is encoded.
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class FieldError:
    """One problem in the body. An empty `loc` means the body itself; `msg` never quotes the value."""

    loc: Loc
    msg: str
    type: str

    def to_json(self) -> dict[str, Any]:
        path = (shorten(part) if isinstance(part, str) else part for part in self.loc)
        return {"loc": ["body", *path], "msg": self.msg, "type": self.type}


class RequestInvalid(ValueError):
    """The body, or some of its fields, cannot be used."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{dotted(e.to_json()['loc'])}: {e.msg}" for e in errors[:3]))
        self.errors = tuple(errors)

    @classmethod
    def at(cls, loc: Loc, msg: str, type: str) -> "RequestInvalid":
        return cls([FieldError(loc, msg, type)])

    @property
    def detail(self) -> list[dict[str, Any]]:
        """Return FastAPI's list of `{loc, msg, type}`."""
        return [error.to_json() for error in self.errors[:MAX_ERRORS_SHOWN]]


@contextmanager
def relocated(relocate: Callable[[Loc], Loc]) -> Iterator[None]:
    """Pass the locations of a RequestInvalid that is raised inside through `relocate`."""
    try:
        yield
    except RequestInvalid as exc:
        raise RequestInvalid([replace(error, loc=relocate(error.loc)) for error in exc.errors]) from exc
