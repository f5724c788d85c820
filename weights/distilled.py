"""Recognise the dev checkpoint, which needs guidance and many more steps, by what it says of itself.

The tensors of dev and distilled have the same names, shapes and dtypes. The names in the metadata (name, title,
version) decide, then the file's own name. A renamed dev file without metadata is not recognised.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weights.errors import UnsupportedError
from weights.header import Header

# A whole word, not part of an address, a device's path or a version of torch.
DEV = re.compile(r"(?<![a-z0-9./])dev(?![a-z0-9/])", re.IGNORECASE)
DISTILLED = re.compile("distill?ed", re.IGNORECASE)

# Keys of metadata that name the model, at any depth: `modelspec.title`, `model_version`, `checkpoint`.
NAMES_MODEL = re.compile(
    r"(^|\.)((model|checkpoint)[._]?)?(name|title|version|variant)$|(^|\.)(model|checkpoint)$", re.IGNORECASE
)

# Keys under which a name is that of something else: what ComfyUI saves of the graph that made a file, people, sources.
ABOUT_OTHERS = re.compile(
    r"(^|\.)(workflow|prompt|license|authors?|creators?|contributors?|uploader|organi[sz]ation|merged_from|base_models?"
    r"|parents?|datasets?)(\.|$)",
    re.IGNORECASE,
)

# As many symbolic links as Linux follows.
MAX_LINKS = 40


def validate_distilled(header: Header) -> None:
    """Raise UnsupportedError if the checkpoint says that it is dev."""
    if evidence := dev_evidence(header):
        raise UnsupportedError(header.path, f"looks like the dev checkpoint, not the distilled one: {evidence}; this "
                                            "server runs LTX-2.3 distilled with its fixed 8 steps (a distilled file "
                                            "that only has such a name can be renamed)")  # fmt: skip


def dev_evidence(header: Header) -> str | None:
    """Return the text that says that it is the dev checkpoint, or None."""
    named = [
        (key, value)
        for key, text in header.metadata.items()
        for place, value in _strings(key, _parsed(text))
        if NAMES_MODEL.search(place) and not ABOUT_OTHERS.search(place)
    ]
    if any(DISTILLED.search(value) for _, value in named):
        return None
    for key, value in named:
        if _says_dev(value):
            return f"its metadata {key!r} says {_around(value)!r}"
    return next((f"its name is {name!r}" for name in _names(header.path) if _says_dev(name)), None)


def _says_dev(text: str) -> bool:
    return bool(DEV.search(text)) and not DISTILLED.search(text)


def _parsed(text: str) -> Any:
    """Parse metadata that is JSON; return other text unchanged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _strings(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text in `value`, in order, with its place: the keys that lead to it, joined by dots."""
    waiting = [(place, value)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, dict):
            waiting += [(f"{place}.{key}", item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(place, item) for item in reversed(value)]


def _around(text: str) -> str:
    """Return the words around `dev`: the text may be long."""
    match = DEV.search(text)
    assert match is not None
    return text[max(match.start() - 40, 0) : match.end() + 20]


def _names(path: Path) -> Iterator[str]:
    """Yield the file's own name and those of the files that it links to."""
    for _ in range(MAX_LINKS):
        yield path.name
        if not path.is_symlink():
            return
        path = path.parent / os.readlink(path)
