"""Describe a weight file: generation, layout, tensors by dtype, and what a server would need in addition."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weights.checkpoint import OPTIONS, ROLES, bare_names, canonical_tensors, roles
from weights.component import read_component
from weights.distilled import dev_evidence
from weights.folder import FOLDERS, SCHEDULER_CONFIG, find_own_parts, folder_dev_evidence, missing_folders
from weights.gemma import GEMMA_3_SIZES, TOKENIZER_TENSOR, count_layers, text_tensors
from weights.generation import Generation, detect_generation, detect_module_generation
from weights.header import Header, TensorInfo, is_folder, read_header
from weights.quantization import is_fp8
from weights.unsupported import is_lora, quantization_method

UPSAMPLER = {"initial_conv.weight", "upsampler.0.weight", "final_conv.weight"}

# In the name of a tensor beside each weight.
BITSANDBYTES = {".quant_state.bitsandbytes__": "4 bits by bitsandbytes", ".SCB": "8 bits by bitsandbytes"}


@dataclass(frozen=True)
class Inspection:
    """A description of a file or folder.

    dtypes: (tensors, bytes) by dtype. holds, missing: roles, or folders of a diffusers folder; nothing is missing from
    a companion. needs: options of `ltx23 serve` for what it does not hold. looks_dev: what says that it is the dev
    checkpoint.
    """

    path: Path
    layout: str
    generation: Generation | None
    dtypes: Mapping[str, tuple[int, int]]
    holds: tuple[str, ...]
    missing: tuple[str, ...]
    has_config: bool
    needs: tuple[str, ...] = ()
    looks_dev: str | None = None

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size in self.dtypes.values())


def inspect(path: Path) -> Inspection:
    """Inspect a file or a diffusers folder by its headers and configs. Raises WeightsError if it is neither."""
    return _inspect_folder(path) if is_folder(path) else _inspect_file(path)


def _inspect_file(path: Path) -> Inspection:
    header = read_header(path)
    tensors = {name: stored.info for name, stored in canonical_tensors(header).items()}
    held = tuple(role for role in ROLES if role in roles(tensors))
    missing = tuple(role for role in OPTIONS if role not in held) if "transformer" in held else ()
    return Inspection(
        path=path,
        layout=_layout(header, tensors, held),
        generation=detect_generation(tensors) or detect_module_generation(bare_names(header.tensors)),
        dtypes=_by_dtype(tensors),
        holds=held,
        missing=missing,
        has_config="config" in header.metadata,
        needs=tuple(OPTIONS[role] for role in missing),
        looks_dev=dev_evidence(header) if "transformer" in held else None,
    )


def _inspect_folder(path: Path) -> Inspection:
    """Inspect a folder; dtypes exclude the text encoder and the upsampler."""
    own = find_own_parts(path)
    here = {folder: read_component(path / folder) for folder in FOLDERS.values() if (path / folder).is_dir()}
    tensors = {f"{folder}.{name}": t.info for folder, part in here.items() for name, t in part.stored.items()}
    parts = (own.text_encoder, own.tokenizer, own.upsampler)
    options = {"--text-encoder": own.text_encoder and own.tokenizer, "--upscaler": own.upsampler}
    return Inspection(
        path=path,
        layout=f"diffusers folder, {_precision(tensors)}",
        generation=detect_module_generation(here["transformer"].stored) if "transformer" in here else None,
        dtypes=_by_dtype(tensors),
        holds=(*here, *(part.name for part in parts if part)),
        missing=tuple(missing_folders(path)),
        has_config=True,
        needs=tuple(option for option, part in options.items() if part is None),
        looks_dev=folder_dev_evidence(path) if (path / SCHEDULER_CONFIG).is_file() else None,
    )


def _layout(header: Header, tensors: Mapping[str, TensorInfo], held: tuple[str, ...]) -> str:
    if is_lora(header.tensors):
        return "LoRA"
    if "transformer" in held:
        extent = "one file" if set(held) == set(ROLES) else "transformer" + "".join(f" + {role}" for role in held[1:])
        return f"{extent}, {_precision(tensors)}"
    if held:
        return " + ".join(held)
    if header.tensors.keys() >= UPSAMPLER:
        return "latent upsampler"
    if any("language_model" in name or name.startswith("model.layers.") for name in tensors):
        return f"text encoder: {_text_encoder(tensors)}"
    if detect_module_generation(bare_names(header.tensors)):
        return f"transformer under diffusers' names, a part of a diffusers folder, {_precision(tensors)}"
    return "nothing of LTX"


def _text_encoder(tensors: Mapping[str, TensorInfo]) -> str:
    model = text_tensors(tensors)
    has_tokenizer = TOKENIZER_TENSOR in tensors
    return f"{_gemma(model)}, {_text_precision(model, tensors)}{', tokenizer inside' if has_tokenizer else ''}"


def _gemma(model: Mapping[str, TensorInfo]) -> str:
    """Describe a Gemma file. A shard does not show the number of layers."""
    if not any(name.endswith(".q_norm.weight") for name in model):
        return "no Gemma 3"
    if not {"embed_tokens.weight", "norm.weight"} <= model.keys():
        return "Gemma 3, one of several shards"
    layers, width = count_layers(model), model["embed_tokens.weight"].shape[-1]
    size = GEMMA_3_SIZES.get((layers, width), "of no published size")
    return f"Gemma 3 {size}, {layers} layers of width {width}"


def _text_precision(model: Mapping[str, TensorInfo], tensors: Mapping[str, TensorInfo]) -> str:
    for part, precision in BITSANDBYTES.items():
        if any(part in name for name in model):
            return precision
    if method := quantization_method(tensors):
        return f"{method}, which is not read here"
    fp8 = [name for name, info in tensors.items() if is_fp8(info)]
    if fp8:
        return "scaled FP8" if any(f"{name}_scale" in tensors for name in fp8) else "FP8 cast without scales"
    return "/".join(sorted({info.dtype for info in model.values()}))


def _precision(tensors: Mapping[str, TensorInfo]) -> str:
    if method := quantization_method(tensors):
        return f"{method}, which is not read here"
    fp8 = [name for name, info in tensors.items() if is_fp8(info)]
    if not fp8:
        return "/".join(sorted({info.dtype for info in tensors.values() if info.dtype != "F32"})) or "F32"
    if not any(f"{name}_scale" in tensors for name in fp8):
        return "FP8 cast without scales"
    static = any(name.endswith(".input_scale") for name in tensors)
    return f"scaled FP8, {'static' if static else 'dynamic'} activations"


def _by_dtype(tensors: Mapping[str, TensorInfo]) -> dict[str, tuple[int, int]]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for info in tensors.values():
        counts[info.dtype] += 1
        sizes[info.dtype] += info.size_bytes
    return {dtype: (count, sizes[dtype]) for dtype, count in counts.most_common()}
