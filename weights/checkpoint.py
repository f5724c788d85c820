"""Open one model from one or several files: its tensors under the names of the one-file layout, and its config.

The header decides what a file holds, never its name. A separate file for the video VAE, the audio VAE or the text
projection replaces that part of the main file.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from weights.distilled import validate_distilled
from weights.errors import UnsupportedError
from weights.generation import Generation, detect_generation, detect_module_generation
from weights.header import Header, TensorInfo
from weights.infer import infer_audio_vae, infer_transformer, infer_video_vae, infer_vocoder
from weights.names import MODEL
from weights.unsupported import validate_readable

# The prefixes of a role's tensors in the one-file layout.
ROLES = {
    "transformer": (MODEL,),
    "video VAE": ("vae.",),
    "audio VAE": ("audio_vae.", "vocoder."),
    "text projection": ("text_embedding_projection.",),
}

PUBLISHED_PREFIXES = tuple(prefix for prefixes in ROLES.values() for prefix in prefixes)

# The option that names the file of a missing role.
OPTIONS = {"video VAE": "--video-vae", "audio VAE": "--audio-vae", "text projection": "--text-projection"}

# A separate video VAE comes with or without its prefix.
BARE_VIDEO_VAE = ("encoder.", "decoder.", "per_channel_statistics.")

# What the names of the transformer begin with, in files of different tools; the published prefix first, none last.
TRANSFORMER_PREFIXES = (MODEL, "diffusion_model.", "transformer.", "")

# Every LTX transformer has this tensor.
TRANSFORMER_INPUT = "patchify_proj.weight"

# Comfy's older spelling of scales.
SCALE_SPELLINGS = {".scale_weight": ".weight_scale", ".scale_input": ".input_scale"}

# A text encoder has one of these tensors.
TEXT_EMBEDDINGS = (
    "model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
)

# Says that the file's weights are scaled; which of them are shows in the tensors themselves.
MARKER = "scaled_fp8"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in its file; its bytes begin at `offset`."""

    path: Path
    name: str
    info: TensorInfo
    offset: int


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a model.

    path: the main file, for messages. stored: by one-file name. config: as published there.
    """

    path: Path
    stored: Mapping[str, StoredTensor]
    config: Mapping[str, Any]

    @cached_property
    def tensors(self) -> dict[str, TensorInfo]:
        return {name: stored.info for name, stored in self.stored.items()}


def open_checkpoint(main: Header, companions: Iterable[Header] = (), caption_channels: int = 3840) -> Checkpoint:
    """Put a checkpoint and its companions together.

    caption_channels: the width of the text encoder, used where no config says it; the default is Gemma 3 12B's.
    Raises WeightsError if a part is missing or is not LTX-2.3's.
    """
    stored = canonical_tensors(main)
    configs = [main.read_config() or {}]
    for companion in companions:
        tensors = canonical_tensors(companion)
        validate_readable(companion.path, companion.tensors)
        replaced = tuple(prefix for role in roles(tensors) for prefix in ROLES[role])
        if not replaced:
            raise UnsupportedError(companion.path, f"holds no {', no '.join(OPTIONS)}")
        stored = {name: tensor for name, tensor in stored.items() if not name.startswith(replaced)} | tensors
        configs.append(companion.read_config() or {})
    _validate_whole(main, stored)
    config = _merge_configs(main.path, stored, configs, caption_channels)
    return Checkpoint(main.path, stored, config)


def open_single(header: Header) -> Checkpoint:
    """Open a file that is a whole model, such as the latent upsampler."""
    return Checkpoint(header.path, canonical_tensors(header), header.read_config() or {})


def canonical_tensors(header: Header) -> dict[str, StoredTensor]:
    """Return the tensors of one file by their one-file names."""
    return canonical(stored_tensors(header))


def canonical(stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    prefix = _transformer_prefix(stored)
    return {canonical_name(name, prefix): tensor for name, tensor in stored.items() if name != MARKER}


def stored_tensors(header: Header) -> dict[str, StoredTensor]:
    """Return the tensors of one file by the names they have there."""
    return {
        name: StoredTensor(header.path, name, info, header.offsets.get(name, 0))
        for name, info in header.tensors.items()
    }


def canonical_name(name: str, transformer_prefix: str = MODEL) -> str:
    for old, new in SCALE_SPELLINGS.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    if name.startswith(BARE_VIDEO_VAE):
        return f"vae.{name}"
    if name.startswith(transformer_prefix) and not name.startswith(PUBLISHED_PREFIXES):
        return MODEL + name.removeprefix(transformer_prefix)
    return name


def _transformer_prefix(names: Collection[str]) -> str:
    return next((prefix for prefix in TRANSFORMER_PREFIXES if prefix + TRANSFORMER_INPUT in names), MODEL)


def stored_spelling(stored: Mapping[str, StoredTensor], name: str, path: Path) -> tuple[Path, str]:
    """Return the file in which a missing tensor would be, and how that file would spell its one-file name.

    The most similar tensor whose beginning it has decides; `path` is the file if there is none.
    """
    for likest in sorted(stored, key=lambda other: _shared_length(other, name), reverse=True):
        there = stored[likest].name
        shared = _shared_length(likest[::-1], there[::-1])
        prefix, own_prefix = likest[: len(likest) - shared], there[: len(there) - shared]
        if name.startswith(prefix):
            return stored[likest].path, own_prefix + name.removeprefix(prefix)
    return path, name


def _shared_length(first: str, second: str) -> int:
    """Return the length of the common prefix."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def roles(names: Iterable[str]) -> set[str]:
    listed = tuple(names)
    return {role for role, prefixes in ROLES.items() if any(name.startswith(prefixes) for name in listed)}


def _validate_whole(main: Header, stored: Mapping[str, StoredTensor]) -> None:
    path = main.path
    validate_readable(path, {name: tensor.info for name, tensor in stored.items()})
    generation = detect_generation(stored)
    if generation is None:
        raise UnsupportedError(path, _without_transformer(main))
    if generation is not Generation.LTX_2_3:
        raise UnsupportedError(path, f"is {generation}; this server runs LTX-2.3 distilled")
    validate_distilled(main)
    missing = [role for role in ROLES if role not in roles(stored)]
    if missing:
        options = " and ".join(OPTIONS[role] for role in missing)
        raise UnsupportedError(path, f"holds no {' and no '.join(missing)}: give {options} as well")


def _without_transformer(main: Header) -> str:
    if any(name in main.tensors for name in TEXT_EMBEDDINGS):
        return "is a text encoder; give it as --text-encoder, and an LTX-2.3 checkpoint as --checkpoint"
    if detect_module_generation(bare_names(main.tensors)):
        return "has its tensors under diffusers' names: give the diffusers folder that it is a part of"
    return "holds no transformer; an LTX-2.3 checkpoint is needed"


def bare_names(names: Iterable[str]) -> Iterator[str]:
    """Yield the names without the prefix that diffusers' pipelines put before those of their transformer."""
    return (name.removeprefix("transformer.") for name in names)


def _merge_configs(
    path: Path, stored: Mapping[str, StoredTensor], configs: list[dict[str, Any]], caption_channels: int
) -> dict[str, Any]:
    """Take each part from the last file that describes it, else from the shapes of its tensors."""
    tensors = {name: tensor.info for name, tensor in stored.items()}
    merged: dict[str, Any] = {}
    for config in configs:
        merged |= config
    try:
        merged["transformer"] = merged.get("transformer") or infer_transformer(tensors, caption_channels)
        merged["vae"] = merged.get("vae") or infer_video_vae(tensors)
        merged["audio_vae"] = merged.get("audio_vae") or infer_audio_vae(tensors)
        merged["vocoder"] = merged.get("vocoder") or infer_vocoder(tensors)
    except KeyError as exc:
        file, name = stored_spelling(stored, str(exc.args[0]), path)
        raise UnsupportedError(file, f"is not LTX-2.3: tensor {name!r} is missing") from exc
    except (IndexError, ValueError, ZeroDivisionError) as exc:
        raise UnsupportedError(path, f"is not LTX-2.3: its tensors have other shapes ({exc})") from exc
    return merged
