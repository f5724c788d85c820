"""The rehearsal file: rules that say which requests fail and how, for clients that cannot send a header."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from server.rehearsal.counts import Counts
from server.rehearsal.fault import Fault, parse_fault

_REQUEST = re.compile(r"([A-Z]+|\*) [/*]\S*")


class RulesError(ValueError):
    """A rehearsal file that cannot be used; the message names the part and what is wrong with it."""


class Rule(BaseModel):
    """One of `[[rules]]`. Of the requests that `request` and `prompt` select, `order` and `share` pick some."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    answer: str
    request: str = "POST *"
    prompt: Annotated[str, Field(min_length=1)] | None = None
    order: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = None
    share: Annotated[float, Field(ge=0, le=1)] | None = None

    @field_validator("answer")
    @classmethod
    def _validate_answer(cls, value: str) -> str:
        parse_fault(value)
        return value

    @field_validator("request")
    @classmethod
    def _validate_request(cls, value: str) -> str:
        if not _REQUEST.fullmatch(value):
            raise ValueError("should be METHOD PATH, such as POST /generate or GET /v1/videos/*/content")
        return value

    def selects_path(self, method: str, path: str) -> bool:
        wanted_method, _, wanted_path = self.request.partition(" ")
        return wanted_method in ("*", method) and fnmatchcase(path, wanted_path)

    def selects_prompt(self, prompt: str) -> bool:
        return self.prompt is None or self.prompt.casefold() in prompt.casefold()

    def picks(self, number: int, random: Random) -> bool:
        """Return whether the rule picks the request with this number, the first being 1."""
        in_share = self.share is None or random.random() < self.share
        return in_share and (self.order is None or number in self.order)


class RuleFile(BaseModel):
    """The whole file. The same `seed` picks the same requests again."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seed: int = 0
    rules: Annotated[list[Rule], Field(min_length=1)]


class Rules:
    """The rules of a file, and how many requests each has selected since the server started.

    The first rule that picks a request decides, but each counts all the requests that it selects.
    """

    def __init__(self, file: RuleFile, counts: Counts) -> None:
        self._rules = [
            (rule, parse_fault(rule.answer), Random(f"{file.seed} {number}")) for number, rule in enumerate(file.rules)
        ]
        self._selected = [0] * len(self._rules)
        self._counts = counts

    def need_prompt(self, method: str, path: str) -> bool:
        return any(rule.prompt is not None and rule.selects_path(method, path) for rule, _, _ in self._rules)

    def fault(self, method: str, path: str, prompt: str) -> Fault | None:
        """Return the fault of the next request, or None if its answer is real."""
        found: Fault | None = None
        for index, (rule, fault, random) in enumerate(self._rules):
            if not (rule.selects_path(method, path) and rule.selects_prompt(prompt)):
                continue
            self._selected[index] += 1
            is_picked = rule.picks(self._selected[index], random)
            if is_picked and found is None and self._counts.happens(fault, index):
                found = fault
        return found


def read_rules(path: Path) -> RuleFile:
    """Read a rehearsal file. Raises RulesError."""
    try:
        with path.open("rb") as file:
            return RuleFile.model_validate(tomllib.load(file))
    except OSError as exc:
        raise RulesError(f"{path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise RulesError(f"{path} is not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_context=False, include_url=False)[0]
        raise RulesError(f"{path}: {_place(first['loc'])}: {first['msg'].removeprefix('Value error, ')}") from exc


def _place(loc: tuple[Any, ...]) -> str:
    """Name a place in the file: `rule 2, share`."""
    if len(loc) > 1 and loc[0] == "rules":
        return ", ".join([f"rule {loc[1] + 1}", *map(str, loc[2:3])])
    return ", ".join(map(str, loc))
