"""Gemma 3's `config.json`: the configuration of its text model, and how its weights are quantised."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.component import CONFIG_NAME
from weights.config_limits import validate_config
from weights.errors import FileError, UnsupportedError
from weights.shards import read_json

if TYPE_CHECKING:
    from transformers import Gemma3TextConfig

NEEDED = "Gemma 3 12B is needed (gemma-3-12b-it)"

# A whole Gemma 3 keeps the text model's configuration in `text_config`; a text-only one is that configuration.
WHOLE, TEXT_ONLY = "gemma3", "gemma3_text"


@dataclass(frozen=True)
class FolderConfig:
    """The contents of config.json.

    quantization: its `quantization_config`, or None.
    """

    text: "Gemma3TextConfig"
    quantization: dict[str, Any] | None
    is_text_only: bool


def read_folder_config(folder: Path) -> FolderConfig:
    """Read the folder's config.json. Raises WeightsError if the folder does not hold a Gemma 3."""
    config = _read(folder)
    model_type = config.get("model_type")
    quantization = config.pop("quantization_config", None)
    if model_type not in (WHOLE, TEXT_ONLY):
        raise UnsupportedError(folder, f"its config.json has the model_type {model_type!r}; {NEEDED}")
    if not isinstance(quantization, dict | None):
        raise UnsupportedError(folder, "its config.json is not Gemma 3's: `quantization_config` is not an object")
    try:
        text = to_text_config(folder, config if model_type == TEXT_ONLY else config["text_config"])
    except (KeyError, TypeError, ValueError) as exc:
        raise UnsupportedError(folder, f"its config.json is not Gemma 3's: {exc!r}") from exc
    return FolderConfig(text, quantization, model_type == TEXT_ONLY)


def to_text_config(path: Path, arguments: dict[str, Any]) -> "Gemma3TextConfig":
    """Create the configuration. Raises UnsupportedError if transformers rejects the arguments."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import Gemma3TextConfig

    try:
        return Gemma3TextConfig(**arguments)
    except StrictDataclassError as exc:
        raise UnsupportedError(path, f"is not Gemma 3: {' '.join(str(exc).split())}") from exc


def _read(folder: Path) -> dict[str, Any]:
    with suppress(PermissionError):  # read_json reports it
        if not _is_there(folder / CONFIG_NAME):
            raise FileError(folder, f"is not a Hugging Face folder (no {CONFIG_NAME}); {NEEDED}{_hint_of_file(folder)}")
    config = read_json(folder / CONFIG_NAME)
    validate_config(folder / CONFIG_NAME, config)
    return config


def _is_there(path: Path) -> bool:
    """Return whether the path exists; unlike os.path.lexists, raise PermissionError if that cannot be determined."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _hint_of_file(folder: Path) -> str:
    """Return a hint that names a file in the folder that may be a whole model, or an empty string."""
    files = sorted(folder.glob("*.safetensors"))
    return f"; to use a single file give its own path, such as {files[0]}" if files else ""
