"""One LoRA in the layouts of different tools. All of them change the model in the same way."""

import json
from collections.abc import Callable, Mapping

import torch

from weights.names import TRANSFORMER_FROM_DIFFUSERS
from weights.tiny_config import WIDTH
from weights.tiny_model.transformer import COLOURS, MIXED, RGB

Tensors = dict[str, torch.Tensor]

PUBLISHED = "diffusion_model."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"

DIFFUSERS_PARTS = {published: name for name, published in TRANSFORMER_FROM_DIFFUSERS.items()}


def renamed(layer: Callable[[str], str], down: str = DOWN, up: str = UP) -> Callable[[Tensors], Tensors]:
    """Return a function that gives every layer another name, and both of its matrices another ending."""

    def rename(tensors: Tensors) -> Tensors:
        result = {}
        for name, tensor in tensors.items():
            ending = DOWN if name.endswith(DOWN) else UP
            result[layer(layer_name(name)) + {DOWN: down, UP: up}[ending]] = tensor
        return result

    return rename


def layer_name(name: str) -> str:
    return name.removeprefix(PUBLISHED).removesuffix(DOWN).removesuffix(UP)


def in_diffusers(layer: str) -> str:
    return "transformer." + ".".join(DIFFUSERS_PARTS.get(part, part) for part in layer.split("."))


def with_alpha(rename: Callable[[Tensors], Tensors], down: str = ".lora_down.weight") -> Callable[[Tensors], Tensors]:
    """Return a function that also adds an alpha of half the rank to each layer, and doubles the product."""

    def add(tensors: Tensors) -> Tensors:
        result = rename({name: 2 * t if name.endswith(UP) else t for name, t in tensors.items()})
        ranks = {name.removesuffix(down): len(t) for name, t in result.items() if name.endswith(down)}
        return result | {f"{layer}.alpha": torch.tensor(rank / 2) for layer, rank in ranks.items()}

    return add


def other_ranks(tensors: Tensors) -> Tensors:
    """Give every second layer twice the rank: half of it zeros."""
    result = {}
    for i, (name, tensor) in enumerate(sorted(tensors.items())):
        dim = 0 if name.endswith(DOWN) else 1
        result[name] = torch.cat([tensor, torch.zeros_like(tensor)], dim=dim) if i // 2 % 2 else tensor
    return result


def kohya(layer: str) -> str:
    return "lora_unet_" + layer.replace(".", "_")


LAYOUTS: dict[str, Callable[[Tensors], Tensors]] = {
    "published": lambda tensors: tensors,
    "published with the checkpoint's prefix": renamed(lambda layer: f"model.diffusion_model.{layer}"),
    "without a prefix": renamed(lambda layer: layer),
    "diffusers": renamed(in_diffusers),
    "PEFT": renamed(
        lambda layer: f"base_model.model.{layer}", ".lora_A.default.weight", ".lora_B.default.weight"
    ),
    "PEFT of diffusers": renamed(lambda layer: f"base_model.model.{in_diffusers(layer)}"),
    "lora_down and lora_up": renamed(lambda layer: PUBLISHED + layer, ".lora_down.weight", ".lora_up.weight"),
    "alpha": with_alpha(renamed(lambda layer: PUBLISHED + layer, ".lora_down.weight", ".lora_up.weight")),
    "kohya": with_alpha(renamed(kohya, ".lora_down.weight", ".lora_up.weight")),
    "several ranks": other_ranks,
}  # fmt: skip


def peft_metadata(**fields: object) -> dict[str, str]:
    """Return the metadata that diffusers writes."""
    return {"lora_adapter_metadata": json.dumps({f"transformer.{name}": value for name, value in fields.items()})}


def random_lora(linears: Mapping[str, tuple[int, int]], rank: int, seed: int, size: float = 0.3) -> Tensors:
    """Return a LoRA that changes every layer by about this share of an average weight."""
    generator = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for layer, (outputs, inputs) in linears.items():
        tensors[f"{PUBLISHED}{layer}{DOWN}"] = torch.randn(rank, inputs, generator=generator) * inputs**-0.5
        tensors[f"{PUBLISHED}{layer}{UP}"] = torch.randn(outputs, rank, generator=generator) * size * rank**-0.5
    return tensors


def swap_lora() -> Tensors:
    """Return a LoRA that swaps red and blue in the colours that the tiny model takes from the prompt."""
    layer = f"{PUBLISHED}transformer_blocks.0.attn2.to_out.0"
    down, up = torch.zeros(RGB, WIDTH), torch.zeros(WIDTH, RGB)
    for shade in range(RGB):
        red, blue = RGB * shade, RGB * shade + 2
        down[shade, blue], down[shade, red] = 1, -1
        up[COLOURS.start + red, shade], up[COLOURS.start + blue, shade] = 1, -1
    up[MIXED.start, 0], up[MIXED.start + 2, 0] = 1, -1
    return {f"{layer}{DOWN}": down, f"{layer}{UP}": up}
