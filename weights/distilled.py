"""Whether a one-file checkpoint says of itself that it is the dev model, which needs guidance and many more steps.

No tensor tells dev from distilled: names, shapes and dtypes are the same. So this goes by what the file says in its
metadata and by its name, and a dev file that was renamed and has no metadata cannot be told.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weights.errors import UnsupportedError
from weights.header import Header

# A word of its own; not in an address, a device's path or a version of torch.
DEV = re.compile(r"(?<![a-z0-9./])dev(?![a-z0-9/])", re.IGNORECASE)
DISTILLED = re.compile("distill?ed", re.IGNORECASE)

# Metadata that names other files: what ComfyUI saves of the graph that made a file, and the licence.
ABOUT_OTHERS = frozenset({"workflow", "prompt", "license"})

# As many as Linux follows.
MAX_LINKS = 40


def validate_distilled(header: Header) -> None:
    """Raises UnsupportedError when it says that it is the dev checkpoint."""
    if evidence := dev_evidence(header):
        raise UnsupportedError(header.path, f"looks like the dev checkpoint, not the distilled one: {evidence}; this "
                                            "server runs LTX-2.3 distilled with its fixed 8 steps (a distilled file "
                                            "that only has such a name can be renamed)")  # fmt: skip


def dev_evidence(header: Header) -> str | None:
    """What says that it is the dev checkpoint; None where nothing does."""
    said = [(key, value) for key, text in header.metadata.items() for value in _strings(_parsed(text))]
    said = [(key, value) for key, value in said if key not in ABOUT_OTHERS]
    if any(DISTILLED.search(value) for _, value in said):
        return None
    for key, value in said:
        if _says_dev(value):
            return f"its metadata {key!r} says {_around(value)!r}"
    return next((f"its name is {name!r}" for name in _names(header.path) if _says_dev(name)), None)


def _says_dev(text: str) -> bool:
    return bool(DEV.search(text)) and not DISTILLED.search(text)


def _parsed(text: str) -> Any:
    """Metadata is text, and some of it JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _around(text: str) -> str:
    """A licence may be long."""
    match = DEV.search(text)
    assert match is not None
    return text[max(match.start() - 40, 0) : match.end() + 20]


def _names(path: Path) -> Iterator[str]:
    """Its own, and those of the files that it links to."""
    for _ in range(MAX_LINKS):
        yield path.name
        if not path.is_symlink():
            return
        path = path.parent / os.readlink(path)
