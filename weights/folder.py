"""Open a diffusers folder of LTX-2.3: model_index.json and a folder for each component.

Its contents decide what it is; `diffusers_config` reads the configs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from weights.component import CONFIG_NAME, Component, read_component
from weights.diffusers_config import MODELS
from weights.errors import FileError, UnsupportedError
from weights.generation import Generation, detect_module_generation
from weights.header import is_folder
from weights.shards import read_json

INDEX_NAME = "model_index.json"
SCHEDULER_CONFIG = Path("scheduler") / "scheduler_config.json"

# Component: its folder.
FOLDERS = {
    "transformer": "transformer",
    "connectors": "connectors",
    "video_vae": "vae",
    "audio_vae": "audio_vae",
    "vocoder": "vocoder",
}

# The first is diffusers' own name for it.
UPSAMPLERS = ("latent_upsampler", "upsampler")


@dataclass(frozen=True)
class OwnParts:
    """Parts that a checkpoint contains and that are otherwise separate files or folders."""

    text_encoder: Path | None = None
    tokenizer: Path | None = None
    upsampler: Path | None = None


def is_diffusers_folder(path: Path) -> bool:
    """Return whether `path` is a diffusers folder. Raises FileError if it cannot be read."""
    try:
        return (path / INDEX_NAME).is_file() or (path / FOLDERS["transformer"] / CONFIG_NAME).is_file()
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc


def find_own_parts(checkpoint: Path) -> OwnParts:
    """Return the parts in a folder; none for a file.

    Raises UnsupportedError for a folder that is not a checkpoint, FileError for an unreadable one.
    """
    if is_folder(checkpoint) and not is_diffusers_folder(checkpoint):
        refuse_folder(checkpoint)
    return OwnParts(
        text_encoder=_first_folder(checkpoint, "text_encoder"),
        tokenizer=_first_folder(checkpoint, "tokenizer"),
        upsampler=_first_folder(checkpoint, *UPSAMPLERS),
    )


def _first_folder(path: Path, *names: str) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def read_folder(path: Path) -> dict[str, Component]:
    """Return the components by name. Raises WeightsError if it is not LTX-2.3 distilled or incomplete."""
    if (path / FOLDERS["transformer"]).is_dir():
        _validate_generation(path)
    if missing := missing_folders(path):
        raise UnsupportedError(path, f"holds no {' and no '.join(missing)}; download it again")
    _validate_distilled(path)
    return {name: read_component(path / folder) for name, folder in FOLDERS.items()}


def missing_folders(path: Path) -> list[str]:
    """Return the missing folders that no other file can replace."""
    return [f"{folder}/" for folder in (*FOLDERS.values(), SCHEDULER_CONFIG.parts[0]) if not (path / folder).is_dir()]


def refuse_folder(path: Path) -> NoReturn:
    """Raise UnsupportedError that says what a folder is that is not a checkpoint."""
    config = read_json(path / CONFIG_NAME) if (path / CONFIG_NAME).is_file() else {}
    class_name = config.get("_class_name")
    if "model_type" in config:
        raise UnsupportedError(path, f"is a text encoder ({config['model_type']}): give it as --text-encoder")
    if class_name == MODELS["upsampler"].class_name:
        raise UnsupportedError(path, "is a latent upsampler: give it as --upscaler")
    if class_name:
        raise UnsupportedError(path, f"is one component ({class_name}): give the diffusers folder that it is in")
    raise UnsupportedError(
        path, f"is a folder without {INDEX_NAME}: a .safetensors file or a diffusers folder is needed"
    )


def _validate_generation(path: Path) -> None:
    """Check the generation first: a folder of another generation has other parts, too."""
    generation = detect_module_generation(read_component(path / FOLDERS["transformer"]).stored)
    if generation is None:
        raise UnsupportedError(path / FOLDERS["transformer"], "holds no transformer of LTX-2.3")
    if generation is not Generation.LTX_2_3:
        raise UnsupportedError(path, f"is {generation}; this server runs LTX-2.3 distilled")


def _validate_distilled(path: Path) -> None:
    if evidence := folder_dev_evidence(path):
        raise UnsupportedError(path, f"is the dev model: {evidence}; this server runs LTX-2.3 distilled")


def folder_dev_evidence(path: Path) -> str | None:
    """Return what says that it is dev, or None. The tensors are alike, but the distilled one's sigmas never shift."""
    config: Mapping[str, Any] = read_json(path / SCHEDULER_CONFIG)
    shifts = config.get("use_dynamic_shifting") or config.get("shift_terminal") is not None
    return f"{SCHEDULER_CONFIG} shifts its sigmas" if shifts else None
