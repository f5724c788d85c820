"""A request that cannot be served as it was sent. Knows no status codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.contract.summary import shorten

# A path into the body, with the names that were sent: ("keyframes", 1, "image_b64").
Loc = tuple[str | int, ...]

MAX_ERRORS_SHOWN = 100


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the body. An empty `loc` is the body itself; `msg` never quotes the value."""

    loc: Loc
    msg: str
    type: str

    def to_json(self) -> dict[str, Any]:
        path = (shorten(part) if isinstance(part, str) else part for part in self.loc)
        return {"loc": ["body", *path], "msg": self.msg, "type": self.type}


class RequestInvalid(ValueError):
    """The body, or fields of it, cannot be used."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, e.to_json()['loc']))}: {e.msg}" for e in errors[:3]))
        self.errors = tuple(errors)

    @classmethod
    def at(cls, loc: Loc, msg: str, type: str) -> "RequestInvalid":
        return cls([FieldError(loc, msg, type)])

    @property
    def detail(self) -> list[dict[str, Any]]:
        """FastAPI's list of `{loc, msg, type}`."""
        return [error.to_json() for error in self.errors[:MAX_ERRORS_SHOWN]]
