"""What a weight file is: generation, layout, tensors by dtype, and what a server would still need beside it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weights.checkpoint import OPTIONS, ROLES, canonical_tensors, roles
from weights.gemma import GEMMA_3_SIZES, TOKENIZER_TENSOR, count_layers, text_tensors
from weights.generation import Generation, detect_generation
from weights.header import Header, TensorInfo, read_header
from weights.quantization import is_fp8

UPSAMPLER = {"initial_conv.weight", "upsampler.0.weight", "final_conv.weight"}

# In the name of a tensor beside each weight.
BITSANDBYTES = {".quant_state.bitsandbytes__": "4 bits by bitsandbytes", ".SCB": "8 bits by bitsandbytes"}


@dataclass(frozen=True)
class Inspection:
    """dtypes: (tensors, bytes) by dtype. holds, missing: roles; missing is empty for a companion."""

    path: Path
    layout: str
    generation: Generation | None
    dtypes: Mapping[str, tuple[int, int]]
    holds: tuple[str, ...]
    missing: tuple[str, ...]
    has_config: bool

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size in self.dtypes.values())


def inspect(path: Path) -> Inspection:
    """Reads the header alone. Raises FileError when it is none."""
    header = read_header(path)
    tensors = {name: stored.info for name, stored in canonical_tensors(header).items()}
    held = tuple(role for role in ROLES if role in roles(tensors))
    return Inspection(
        path=path,
        layout=_layout(header, tensors, held),
        generation=detect_generation(tensors),
        dtypes=_by_dtype(tensors),
        holds=held,
        missing=tuple(role for role in OPTIONS if role not in held) if "transformer" in held else (),
        has_config="config" in header.metadata,
    )


def _layout(header: Header, tensors: Mapping[str, TensorInfo], held: tuple[str, ...]) -> str:
    if "transformer" in held:
        extent = "one file" if set(held) == set(ROLES) else "transformer" + "".join(f" + {role}" for role in held[1:])
        return f"{extent}, {_precision(tensors)}"
    if held:
        return " + ".join(held)
    if header.tensors.keys() >= UPSAMPLER:
        return "latent upsampler"
    if any("language_model" in name or name.startswith("model.layers.") for name in tensors):
        return f"text encoder: {_text_encoder(tensors)}"
    return "nothing of LTX"


def _text_encoder(tensors: Mapping[str, TensorInfo]) -> str:
    model = text_tensors(tensors)
    has_tokenizer = TOKENIZER_TENSOR in tensors
    return f"{_gemma(model)}, {_text_precision(model, tensors)}{', tokenizer inside' if has_tokenizer else ''}"


def _gemma(model: Mapping[str, TensorInfo]) -> str:
    """A shard does not show how many layers there are."""
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
    fp8 = [name for name, info in tensors.items() if is_fp8(info)]
    if fp8:
        return "scaled FP8" if any(f"{name}_scale" in tensors for name in fp8) else "FP8 cast without scales"
    return "/".join(sorted({info.dtype for info in model.values()}))


def _precision(tensors: Mapping[str, TensorInfo]) -> str:
    fp8 = [name for name, info in tensors.items() if is_fp8(info)]
    if not fp8:
        return "/".join(sorted({info.dtype for info in tensors.values() if info.dtype != "F32"}))
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
