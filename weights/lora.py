"""Read which linear layers a LoRA changes, and by which tensors, from the header of its file.

Tools write the same matrices under many names: a prefix (`diffusion_model.`, `transformer.`, `lora_unet_`), the layer
as the published checkpoint or as diffusers names it, perhaps with underscores for dots, and `lora_A` and `lora_B` or
`lora_down` and `lora_up`. A tensor that fits no layer of the model is an error: without it the LoRA would be another.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from weights.errors import FileError, TensorError, UnsupportedError
from weights.header import Header, TensorInfo, quoted
from weights.names import CONNECTORS, MODEL, TRANSFORMER_FROM_DIFFUSERS

# (outputs, inputs) of a linear layer, by its name in the transformer, or in the connectors with this prefix.
Linears = Mapping[str, tuple[int, int]]
CONNECTORS_PREFIX = "connectors."

DOWN, UP, ALPHA = "down", "up", "alpha"
ROLES = (
    (DOWN, re.compile(r"\.(lora_A(\.\w+)?|lora_down|lora\.down)\.weight$")),
    (UP, re.compile(r"\.(lora_B(\.\w+)?|lora_up|lora\.up)\.weight$")),
    (ALPHA, re.compile(r"\.alpha$")),
)

# What other adapters have beside or in place of the two matrices.
OTHER_ADAPTERS = (
    (re.compile(r"\.(dora_scale|lora_magnitude_vector(\.\w+)?)(\.weight)?$"), "DoRA"),
    (re.compile(r"\.lokr_\w+$"), "LoKr"),
    (re.compile(r"\.hada_\w+$"), "LoHa"),
    (re.compile(r"\.lora_mid\.weight$"), "LoCon"),
    (re.compile(r"\.diff(_b)?$|\.set_weight$|\.(w|b)_norm$"), "a difference of whole weights"),
    (re.compile(r"\.lora_(A|B|up|down)(\.\w+)?\.bias$"), "a LoRA with biases"),
)

PREFIXES = ("base_model.model.", "model.", "diffusion_model.", "transformer.", "lora_unet_", "lora_transformer_")

# Names of the connectors' layers in the published checkpoint.
PUBLISHED_CONNECTORS = ("video_embeddings_connector.", "audio_embeddings_connector.", "text_embedding_projection.")

DTYPES = ("F32", "BF16", "F16", "F64")

# An IC-LoRA needs a video that the clip follows.
REFERENCE_KEYS = ("reference_downscale_factor", "reference_temporal_scale_factor")

# `ltx-2.3-22b-distilled-lora-384` makes the distilled model out of the other one.
DISTILLED_NAME, DISTILLED_RANK = re.compile(r"distilled[-_]lora", re.IGNORECASE), 384

PEFT_METADATA = "lora_adapter_metadata"


@dataclass(frozen=True)
class LoraLayer:
    """The tensors that change one linear layer, by their names in the file: down (rank, in) and up (out, rank).

    alpha: the name of the number by which their product is scaled, alpha / rank; None if the file has none.
    """

    down: str
    up: str
    rank: int
    alpha: str | None = None


@dataclass(frozen=True)
class PeftScale:
    """The scale that diffusers and PEFT store in the metadata."""

    alpha: float
    is_rank_stabilised: bool = False

    def of(self, rank: int) -> float:
        return self.alpha / (sqrt(rank) if self.is_rank_stabilised else rank)


@dataclass(frozen=True)
class Lora:
    """A LoRA whose tensors all fit the model. layers: by the name of the linear layer, as in Linears."""

    header: Header
    layers: Mapping[str, LoraLayer]
    peft_scale: PeftScale | None = None

    @property
    def path(self) -> Path:
        return self.header.path

    @property
    def rank(self) -> int:
        """Return the largest rank, which is usually that of every layer."""
        return max(layer.rank for layer in self.layers.values())

    @property
    def size_bytes(self) -> int:
        return sum(info.size_bytes for info in self.header.tensors.values())

    @property
    def changes_connectors(self) -> bool:
        return any(name.startswith(CONNECTORS_PREFIX) for name in self.layers)


class LoraReader:
    """Reads LoRAs for one model."""

    def __init__(self, linears: Linears) -> None:
        self._linears = linears
        self._spellings = {spelling: name for name in linears for spelling in _spellings(name)}

    def read(self, header: Header) -> Lora:
        """Raise UnsupportedError or TensorError, which names the tensor, if this is not a LoRA for the model."""
        validate_lora_file(header)
        parts: dict[str, dict[str, str]] = {}
        for key in header.tensors:
            name, role = _split(header.path, key)
            layer = self._find(name)
            if layer is None:
                raise TensorError(f"{header.path}: {quoted(key)} belongs to no layer of this model; a LoRA for LTX-2.3 "
                                  "is needed")  # fmt: skip
            of_layer = parts.setdefault(layer, {})
            if role in of_layer:
                raise TensorError(f"{header.path}: {quoted(of_layer[role])} and {quoted(key)} are for the same layer")
            of_layer[role] = key
        layers = {layer: self._layer(header, layer, of_layer) for layer, of_layer in parts.items()}
        lora = Lora(header, layers, _read_peft_scale(header))
        self._validate_not_distilled(lora)
        return lora

    def _find(self, name: str) -> str | None:
        """Return the layer that a file calls `name`, perhaps with prefixes."""
        while name not in self._spellings:
            prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
            if prefix is None:
                return self._find_connector(name)
            name = name.removeprefix(prefix)
        return self._spellings[name]

    def _find_connector(self, name: str) -> str | None:
        name = name.removeprefix(CONNECTORS_PREFIX)
        if not name.startswith(PUBLISHED_CONNECTORS):
            return None
        published = name if CONNECTORS.takes(name) else MODEL + name
        renamed = CONNECTORS_PREFIX + CONNECTORS.rename(published)
        return renamed if renamed in self._linears else None

    def _layer(self, header: Header, layer: str, of_layer: Mapping[str, str]) -> LoraLayer:
        path = header.path
        for role, other in ((DOWN, UP), (UP, DOWN)):
            if role not in of_layer:
                key = of_layer.get(other) or of_layer[ALPHA]
                wanted = {DOWN: "lora_A or lora_down", UP: "lora_B or lora_up"}[role]
                raise TensorError(f"{path}: {quoted(key)} is there without its {wanted}; the file is incomplete")
        down, up = (header.tensors[of_layer[role]] for role in (DOWN, UP))
        self._validate_shapes(path, of_layer, layer, down, up)
        if ALPHA in of_layer and header.tensors[of_layer[ALPHA]].shape not in ((), (1,)):
            raise TensorError(f"{path}: {quoted(of_layer[ALPHA])} should be one number")
        return LoraLayer(of_layer[DOWN], of_layer[UP], down.shape[0], of_layer.get(ALPHA))

    def _validate_shapes(
        self, path: Path, of_layer: Mapping[str, str], layer: str, down: TensorInfo, up: TensorInfo
    ) -> None:
        outputs, inputs = self._linears[layer]
        rank = down.shape[0] if down.shape else 0
        for role, info in ((DOWN, down), (UP, up)):
            if 0 in info.shape:
                raise TensorError(f"{path}: {quoted(of_layer[role])} has rank 0")
            if len(info.shape) != 2:
                raise UnsupportedError(path, f"{quoted(of_layer[role])} has shape {list(info.shape)}, and a LoRA's "
                                             "matrices have two dimensions")  # fmt: skip
        for role, info, shape in ((DOWN, down, (rank, inputs)), (UP, up, (outputs, rank))):
            if info.shape != shape:
                raise UnsupportedError(path, f"is a LoRA of another model: {quoted(of_layer[role])} has shape "
                                             f"{list(info.shape)}, this model needs {list(shape)}")  # fmt: skip

    def _validate_not_distilled(self, lora: Lora) -> None:
        blocks = {name for name in self._linears if name.startswith("transformer_blocks.")}
        at_rank = sum(layer.rank == DISTILLED_RANK for layer in lora.layers.values())
        is_distilled = blocks <= lora.layers.keys() and at_rank > len(blocks) / 2
        if is_distilled or DISTILLED_NAME.search(lora.path.name):
            raise UnsupportedError(lora.path, "is the distilled LoRA, which turns the dev checkpoint into the "
                                              "distilled one; this server runs the distilled one already")  # fmt: skip


def validate_lora_file(header: Header) -> None:
    """Raise WeightsError if this cannot be a LoRA for any model here, whatever its layers are."""
    path = header.path
    if not header.tensors:
        raise FileError(path, "holds no tensors")
    for key in REFERENCE_KEYS:
        if key in header.metadata:
            raise UnsupportedError(path, f"is an IC-LoRA (its metadata has {key!r}): it needs a reference video, which "
                                         "requests here do not have")  # fmt: skip
    for key, info in header.tensors.items():
        _split(path, key)
        if info.dtype not in DTYPES:
            raise UnsupportedError(path, f"{quoted(key)} is {info.dtype}; a LoRA in {', '.join(DTYPES)} is needed")


def _split(path: Path, key: str) -> tuple[str, str]:
    """Return the name of the layer in a tensor's name, and the tensor's role."""
    for role, ending in ROLES:
        if match := ending.search(key):
            return key[: match.start()], role
    for ending, kind in OTHER_ADAPTERS:
        if ending.search(key):
            raise UnsupportedError(path, f"is {kind}, which is not applied here: it has {quoted(key)}; a plain LoRA is "
                                         "needed")  # fmt: skip
    raise TensorError(f"{path}: {quoted(key)} is no tensor of a LoRA: its name ends in none of lora_A.weight, "
                      "lora_B.weight, lora_down.weight, lora_up.weight, alpha")  # fmt: skip


def _spellings(name: str) -> Iterator[str]:
    """Yield the names that files have for a layer, without prefixes."""
    yield name
    yield name.replace(".", "_")
    if not name.startswith(CONNECTORS_PREFIX):
        in_diffusers = ".".join(DIFFUSERS_PARTS.get(part, part) for part in name.split("."))
        yield in_diffusers
        yield in_diffusers.replace(".", "_")


DIFFUSERS_PARTS = {published: name for name, published in TRANSFORMER_FROM_DIFFUSERS.items()}


def _read_peft_scale(header: Header) -> PeftScale | None:
    """Read the scale from the metadata of diffusers' files. Raises WeightsError if it cannot be read."""
    text = header.metadata.get(PEFT_METADATA)
    if text is None:
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        # `transformer.lora_alpha`, or `lora_alpha`.
        named = {name.rpartition(".")[2]: value for name, value in fields.items() if "connectors." not in name}
        pattern, alpha, stabilised = named.get("alpha_pattern"), named.get("lora_alpha"), named.get("use_rslora")
        scale = None if alpha is None else PeftScale(float(alpha), bool(stabilised))
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise FileError(header.path, f"metadata {PEFT_METADATA!r} is not the JSON that PEFT writes ({exc})") from exc
    if pattern:
        raise UnsupportedError(header.path, f"metadata {PEFT_METADATA!r} has an alpha for single layers "
                                            "(alpha_pattern), which is not applied here")  # fmt: skip
    return scale
