"""Find what somebody meant who mistyped a name."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `: did you mean NAME?` with the nearest known name, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean {near[0]}?" if near else ""
