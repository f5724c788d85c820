"""Read the option `--lora` of a command."""

import re
from pathlib import Path

from pipelines.direction import LoraStrength
from pipelines.errors import SpecError
from weights.errors import WeightsError
from weights.header import read_header
from weights.lora import validate_lora_file

# PATH:STRENGTH, parsed from the right because a path may contain colons.
LORA = re.compile(r"(?P<lora>.+?)(:(?P<strength>[+-]?(\d+\.?\d*|\.\d+)))?")


def read_lora(text: str) -> LoraStrength:
    """Return the LoRA that an option names. Its layers are checked once there is a model. Raises SpecError."""
    match = LORA.fullmatch(text)
    if match is None:
        raise SpecError("lora", f"should be PATH[:STRENGTH], got {text!r}")
    path = Path(match["lora"])
    try:
        validate_lora_file(read_header(path))
    except WeightsError as exc:
        raise SpecError("lora", str(exc)) from exc
    return LoraStrength(path.stem, path, float(match["strength"] or 1))
