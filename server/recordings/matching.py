"""Find the recording of an equal request, or say in what the nearest one differs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from server.recordings.exchange import Exchange, RecordedRequest

# The headers that decide the answer; a client's name and its request ids do not.
COMPARED_HEADERS = ("prefer", "range", "if-range", "x-ltx-rehearse")

MAX_DIFFERENCES = 6
MAX_NAMES = 20
MAX_SHOWN_CHARACTERS = 80
ABSENT = object()

Place = tuple[str, ...]


class Recordings:
    """The exchanges of a recording. The n-th equal request gets the n-th answer, and after the last one the last."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._by_request: dict[str, list[Exchange]] = {}
        self._requests = [exchange.request for exchange in exchanges]
        for exchange in exchanges:
            if exchange.request.is_complete:
                self._by_request.setdefault(_key(exchange.request), []).append(exchange)
        self._asked: Counter[str] = Counter()

    def next(self, request: RecordedRequest) -> Exchange | None:
        """Return the next recording of an equal request, or None if there is none."""
        key = _key(request)
        equal = self._by_request.get(key)
        if equal is None:
            return None
        self._asked[key] += 1
        return equal[min(self._asked[key], len(equal)) - 1]

    def explain_miss(self, request: RecordedRequest) -> str:
        """Say in what the request differs from the nearest recording."""
        facts = _facts(request)
        differences = {
            line: _differences(facts, _facts(each))
            for line, each in enumerate(self._requests, 1)
            if _name(each) == _name(request)
        }
        if not differences:
            return f"{_name(request)} is not recorded. {_list_names(self._requests)}"
        line, nearest = min(differences.items(), key=lambda each: len(each[1]))
        more = len(nearest) - MAX_DIFFERENCES
        rest = f"; and {more} more" if more > 0 else ""
        return (
            f"This {_name(request)} is not recorded. The nearest recording is number {line}: "
            f"{'; '.join(nearest[:MAX_DIFFERENCES])}{rest}."
        )


def _list_names(requests: Sequence[RecordedRequest]) -> str:
    names = sorted({_name(each) for each in requests})
    if not names:
        return "Nothing is."
    rest = ["..."] if len(names) > MAX_NAMES else []
    return f"These are: {', '.join([*names[:MAX_NAMES], *rest])}."


def _name(request: RecordedRequest) -> str:
    return f"{request.method} {request.path}"


def _key(request: RecordedRequest) -> str:
    return json.dumps([request.method, request.path, sorted(request.query), _headers(request), _content(request)])


def _headers(request: RecordedRequest) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in request.headers if name.lower() in COMPARED_HEADERS)


def _content(request: RecordedRequest) -> str:
    """Return the content as text. That of a GET does not count: some clients send `{}` with it."""
    return "" if request.method in ("GET", "HEAD") else json.dumps(request.content, sort_keys=True)


def _facts(request: RecordedRequest) -> dict[Place, Any]:
    """Return each value of the request by its place, such as `("keyframes", "1", "image_b64")`."""
    facts: dict[Place, Any] = {("header", name): value for name, value in _headers(request)}
    for name, value in sorted(request.query):
        facts.setdefault(("query", name), []).append(value)
    if request.method not in ("GET", "HEAD"):
        for kind, value in (request.content or {"none": None}).items():
            facts[("the kind of body",)] = kind
            _flatten(value, (), facts)
    return facts


def _flatten(value: Any, place: Place, facts: dict[Place, Any]) -> None:
    if isinstance(value, dict) and value and value.keys() != {"sha256", "bytes"}:
        for name, item in value.items():
            _flatten(item, (*place, name), facts)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            _flatten(item, (*place, str(index)), facts)
    else:
        facts[place or ("the body",)] = value


def _differences(asked: Mapping[Place, Any], recorded: Mapping[Place, Any]) -> list[str]:
    return [
        f"{'.'.join(place)} is {_show(asked.get(place, ABSENT), recorded.get(place, ABSENT))}"
        for place in dict.fromkeys([*asked, *recorded])
        if asked.get(place, ABSENT) != recorded.get(place, ABSENT)
        or type(asked.get(place)) is not type(recorded.get(place))
    ]


def _show(asked: Any, recorded: Any) -> str:
    asked_text, recorded_text = _text(asked), _text(recorded)
    if len(asked_text) <= MAX_SHOWN_CHARACTERS >= len(recorded_text):
        return f"{asked_text}, recorded {recorded_text}"
    # Show where two long texts part.
    pairs = zip_longest(asked_text, recorded_text)
    start = max(0, next((n for n, (ours, theirs) in enumerate(pairs) if ours != theirs), 0) - MAX_SHOWN_CHARACTERS // 4)
    return f"{_cut(asked_text, start)}, recorded {_cut(recorded_text, start)}"


def _cut(text: str, start: int) -> str:
    end = start + MAX_SHOWN_CHARACTERS
    return ("..." if start else "") + text[start:end] + ("..." if len(text) > end else "")


def _text(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    if isinstance(value, dict) and value.keys() == {"sha256", "bytes"}:
        return f"the file {value['sha256'][:12]} ({value['bytes']} bytes)"
    return json.dumps(value)
