"""Gemma 3's `config.json`: the configuration of its text model, and how its weights are quantised."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.errors import FileError, UnsupportedError

if TYPE_CHECKING:
    from transformers import Gemma3TextConfig

NEEDED = "the multimodal Gemma 3 12B is needed (gemma-3-12b-it)"


def read_text_config(folder: Path) -> tuple["Gemma3TextConfig", dict[str, Any] | None]:
    """The text model's config, and `quantization_config` where there is one. Raises WeightsError when the folder is
    none of Gemma 3's.
    """
    config = _read(folder)
    model_type = config.get("model_type")
    if model_type != "gemma3":
        raise UnsupportedError(folder, f"its config.json has the model_type {model_type!r}; {NEEDED}")
    try:
        return to_text_config(folder, config["text_config"]), config.get("quantization_config")
    except (KeyError, TypeError, ValueError) as exc:
        raise UnsupportedError(folder, f"its config.json is not Gemma 3's: {exc!r}") from exc


def to_text_config(path: Path, arguments: dict[str, Any]) -> "Gemma3TextConfig":
    """Raises UnsupportedError when transformers does not take them."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import Gemma3TextConfig

    try:
        return Gemma3TextConfig(**arguments)
    except StrictDataclassError as exc:
        raise UnsupportedError(path, f"is not Gemma 3: {' '.join(str(exc).split())}") from exc


def _read(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text())
    except PermissionError as exc:
        raise FileError(folder, f"its config.json cannot be read: {exc.strerror}") from exc
    except OSError as exc:
        message = f"is not a Hugging Face folder (no config.json); {NEEDED}{_hint_of_file(folder)}"
        raise FileError(folder, message) from exc
    except ValueError as exc:
        raise UnsupportedError(folder, f"its config.json is not JSON ({exc})") from exc
    if not isinstance(config, dict):
        raise UnsupportedError(folder, f"its config.json is no object; {NEEDED}")
    return config


def _hint_of_file(folder: Path) -> str:
    """Where a folder is no model, but holds a file that may be one."""
    files = sorted(folder.glob("*.safetensors"))
    return f"; to use a single file give its own path, such as {files[0]}" if files else ""
