"""The options of `ltx23 generate` and `ltx23 bench` for LoRAs."""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.direction import LoraStrength
from pipelines.errors import SpecError
from server.commands.setting_options import add_setting_options
from server.configure import lora_catalog
from server.contract.loras import KnownLora
from server.settings import LoraSettings, Settings
from weights.errors import WeightsError
from weights.header import read_header
from weights.lora import validate_lora_file

# PATH_OR_NAME:STRENGTH, parsed from the right because a path may contain colons.
LORA = re.compile(r"(?P<lora>.+?)(:(?P<strength>[+-]?(\d+\.?\d*|\.\d+)))?")


def add_lora_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lora",
        action="append",
        default=[],
        dest="loras",
        metavar="PATH_OR_NAME:STRENGTH",
        help="a LoRA that changes the model: a file, or a name of LTX23_LORA or --lora-dir; STRENGTH may be left out; "
        "may be repeated",
    )
    add_setting_options(parser, LoraSettings, only=("lora_dir",))


def read_loras(texts: Iterable[str], settings: Settings) -> tuple[LoraStrength, ...]:
    """Return the LoRAs of a clip: files, or names of the settings. Raises SpecError.

    Which layers they change is checked once there is a model.
    """
    known = lora_catalog(settings).entries(None)
    return tuple(_read_lora(text, known) for text in texts)


def _read_lora(text: str, known: Mapping[str, KnownLora]) -> LoraStrength:
    match = LORA.fullmatch(text)
    if match is None:
        raise SpecError("lora", f"should be PATH_OR_NAME or PATH_OR_NAME:STRENGTH, got {text!r}")
    lora = known.get(match["lora"]) or _file(Path(match["lora"]), known)
    if lora.error is not None:
        raise SpecError("lora", lora.error)
    return LoraStrength(lora.name, lora.path, float(match["strength"] or lora.strength))


def _file(path: Path, known: Mapping[str, KnownLora]) -> KnownLora:
    try:
        validate_lora_file(read_header(path))
    except WeightsError as exc:
        names = f"; names are {', '.join(known)}" if known and len(path.parts) == 1 else ""
        raise SpecError("lora", f"{exc}{names}") from exc
    return KnownLora(path.stem, path)
