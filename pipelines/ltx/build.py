"""Build the modules of LTX-2.3 on `meta`, with FP8 layers where the weights will be FP8."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from pipelines.ltx.fp8 import Fp8Mode, use_fp8_linears
from pipelines.ltx.transformer.config import TransformerConfig
from pipelines.ltx.transformer.model import Transformer
from weights.checkpoint import Checkpoint
from weights.names import NameMap
from weights.quantization import fp8_weights, is_fp8


def build_module(component: str, kwargs: dict[str, Any]) -> nn.Module:
    """Build a module on `meta`; only non-persistent buffers, which no file holds, have values."""
    with _meta_parameters():
        if component == "transformer":
            return Transformer(TransformerConfig.of(kwargs))
        return _diffusers_class(component)(**kwargs)


def _diffusers_class(component: str) -> Callable[..., nn.Module]:
    """Import the model's module alone: importing diffusers' pipelines takes many seconds."""
    _import_diffusers()
    if component == "connectors":
        from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors as Model
    elif component == "video_vae":
        from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video as Model
    elif component == "audio_vae":
        from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio as Model
    elif component == "vocoder":
        from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE as Model
    else:
        from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel as Model
    return Model  # type: ignore[no-any-return]


def _import_diffusers() -> None:
    """Import diffusers without bitsandbytes.

    diffusers checks once which packages are installed and would import bitsandbytes, and with it torch's compiler, for
    quantisations that are not used here: a fifth of the tiny model's start.
    """
    if "bitsandbytes" in sys.modules or "diffusers" in sys.modules:
        return
    sys.modules["bitsandbytes"] = None  # type: ignore[assignment]  # Python's own way to say: there is none
    try:
        import diffusers.utils.import_utils  # noqa: F401
    finally:
        del sys.modules["bitsandbytes"]


@contextmanager
def _meta_parameters() -> Iterator[None]:
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        yield


def use_fp8(transformer: nn.Module, checkpoint: Checkpoint, name_map: NameMap, mode: Fp8Mode) -> None:
    """Use FP8 layers where the file has FP8 weights; quantise a file without FP8 as the official one is.

    With `scaled-all` quantise every layer of every block, unless the file asks for full precision in it.
    """
    if mode is Fp8Mode.DEQUANTIZE:
        return
    weights = {name_map.rename(name): weight for name, weight in fp8_weights(checkpoint).items()}
    stored = {name: weight for name, weight in weights.items() if not weight.dequantize}
    in_fp8 = name_map.select(name for name, info in checkpoint.tensors.items() if is_fp8(info)).values()
    chosen = set(stored)
    if mode is Fp8Mode.SCALED_ALL:
        chosen |= block_linears(transformer).keys() - set(in_fp8)
    elif not stored and not in_fp8:
        chosen = set(officially_fp8(transformer))
    static = [name for name, weight in stored.items() if weight.input_scale is not None]
    use_fp8_linears(transformer, chosen, static)


def officially_fp8(transformer: nn.Module) -> list[str]:
    """Return what ltx-2.3-22b-distilled-fp8 quantises: the Linears of all blocks but the first four and the last."""
    last = sum(1 for _ in transformer.get_submodule("transformer_blocks").children()) - 1
    return [name for name, block in block_linears(transformer).items() if 4 <= block < last]


def block_linears(transformer: nn.Module) -> dict[str, int]:
    """Return the weight of each Linear in a block, with the number of the block."""
    in_block = re.compile(r"transformer_blocks\.(\d+)\.")
    linears = (name for name, module in transformer.named_modules() if isinstance(module, nn.Linear))
    return {f"{name}.weight": int(match[1]) for name in linears if (match := in_block.match(name))}
