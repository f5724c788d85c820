"""Name a clip by all that it is made from, so that a batch knows the clips that it has."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import SpecError
from server.commands.clip_size import CONTINUATION, RETAKE
from server.commands.keyframe_option import parse_keyframe

# Options that are the path of a file and nothing else.
PLAIN_FILES = ("image", "audio")


def clip_key(container: str, options: Mapping[str, Any]) -> str:
    """Return a digest of the options and of the contents of the files that they name."""
    given = {name: value for name, value in options.items() if value is not None and value != []}
    # Whatever their names are.
    given |= {name: _digest(Path(given[name])) or given[name] for name in PLAIN_FILES if name in given}
    contents = {str(path): _digest(path) for path in _files(options)}
    described = {"format": container, "options": given, "files": contents}
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()


def _files(options: Mapping[str, Any]) -> list[Path]:
    try:
        paths = [parse_keyframe(text).path for text in options.get("keyframes", ())]
    except SpecError:  # reported when the clip's turn comes
        return []
    for name, pattern in (("retake", RETAKE), ("continue_from", CONTINUATION)):
        match = pattern.fullmatch(options.get(name) or "")
        if match is not None:
            paths.append(Path(match["path"]))
    return paths


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
