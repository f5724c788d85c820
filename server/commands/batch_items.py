"""Read what a batch renders: a file of prompts, or a folder of images."""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import SpecError
from server.commands.generate_options import add_clip_fields, add_metadata_option
from server.commands.nearest import did_you_mean
from server.commands.output_file import slug

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
# Of two options of which one may be given; a line's own replaces the other one of the command.
LENGTHS = ("num_frames", "duration")


class BatchError(Exception):
    """A file or folder of a batch that cannot be used."""


@dataclass(frozen=True)
class BatchItem:
    """A clip to render. source: where it is asked for, such as `prompts.txt:3`. name: begins the name of its file."""

    source: str
    name: str
    options: Mapping[str, Any]


def read_prompts(path: Path, common: Mapping[str, Any]) -> list[BatchItem]:
    """Return a clip for each line: a prompt, or a JSON object whose fields replace the command's options.

    Raises BatchError with all lines that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BatchError(f"prompts: {path}: {getattr(exc, 'strerror', None) or exc}") from exc
    items, wrong = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                options = {**common, **_read_line(line.strip())}
                items.append(BatchItem(f"{path}:{number}", slug(options["prompt"]), options))
            except SpecError as exc:
                wrong.append(f"{path}:{number}: {exc}")
    if wrong:
        raise BatchError("\nltx23: error: ".join(wrong))
    if not items:
        raise BatchError(f"prompts: {path} has no prompts")
    return items


def read_images(folder: Path, common: Mapping[str, Any]) -> list[BatchItem]:
    """Return a clip for each image of a folder, as its first frame. Raises BatchError."""
    try:
        images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except OSError as exc:
        raise BatchError(f"images: {folder}: {exc.strerror or exc}") from exc
    if not images:
        raise BatchError(f"images: {folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return [BatchItem(str(path), slug(path.stem), {**common, "image": str(path)}) for path in images]


def _read_line(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {"prompt": line}
    try:
        fields = json.loads(line)
    except ValueError as exc:
        raise SpecError("line", f"is not a JSON object: {exc}") from exc
    known = dict(_fields())
    options: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in known:
            raise SpecError(name, f"is not a field of a clip{did_you_mean(name, known)}")
        options[name] = _read_value(name, known[name], value)
    if not options.get("prompt"):
        raise SpecError("prompt", "is missing")
    given = [name for name in LENGTHS if name in options]
    return {**(dict.fromkeys(LENGTHS) if given else {}), **options}


def _fields() -> Iterator[tuple[str, argparse.Action]]:
    """Yield the options of a clip by the names that they have in a line: num_frames, keyframes, generate_audio."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--prompt")
    add_clip_fields(parser)
    add_metadata_option(parser)
    for action in parser._actions:
        yield action.dest, action


def _read_value(name: str, action: argparse.Action, value: Any) -> Any:
    """Read a value as the option would be. Raises SpecError."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise SpecError(name, f"should be true or false, got {json.dumps(value)}")
        return value
    if isinstance(action.default, list):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise SpecError(name, f"should be a list of texts, got {json.dumps(value)}")
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise SpecError(name, f"should be a text or a number, got {json.dumps(value)}")
    text = value if isinstance(value, str) else json.dumps(value)
    if action.choices is not None and text not in action.choices:
        raise SpecError(name, f"should be one of {', '.join(action.choices)}, got {text!r}")
    try:
        return action.type(text) if callable(action.type) else text
    except ValueError as exc:
        raise SpecError(name, f"should be a number, got {text!r}") from exc
