"""Define the tiny LTX-2.3: the published 22B config with widths that a laptop computes in seconds.

Some widths are not free: the VAE's encoder starts at its 128 latent channels, the audio VAE's base width is that of a
packed audio latent, 8 x 16, and every matrix of the text encoder has to fit bitsandbytes' 4-bit kernels, which take
rows by 32 and columns by 64 on some CPUs.
"""

from collections.abc import Mapping
from typing import Any

from weights.full_config import DATA, full_config, full_upsampler_config
from weights.published import STRIDES

TEXT_WIDTH, TEXT_LAYERS = 64, 3

# What `training` has made.
TRAINED = DATA / "tiny-video-vae.safetensors"

# One head, because all of a latent's channels follow the same attention.
WIDTH = 160
SMALLER_TRANSFORMER = {
    "num_layers": 2,
    "num_attention_heads": 1,
    "attention_head_dim": WIDTH,
    "cross_attention_dim": WIDTH,
    "caption_channels": TEXT_WIDTH,
    "audio_num_attention_heads": 1,
    "audio_attention_head_dim": WIDTH,
    "audio_cross_attention_dim": WIDTH,
    "connector_num_layers": 1,
    "connector_num_attention_heads": 1,
    "connector_attention_head_dim": WIDTH,
    "audio_connector_num_attention_heads": 1,
    "audio_connector_attention_head_dim": WIDTH,
}
ONE_RESBLOCK = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]]}
# From the pixels inwards: residual layers in front of, between and behind the four scalings, and their multipliers.
ENCODER_LAYERS, ENCODER_MULTIPLIERS = (0, 1, 1, 1, 1), (1, 1, 1, 2)
DECODER_LAYERS, DECODER_MULTIPLIERS = (0, 1, 1, 1, 1), (1, 2, 2, 2)
DECODER_BASE_CHANNELS = 16


def _replaced(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with the values of `changes`, which may be nested."""
    nested = {key: _replaced(config[key], value) for key, value in changes.items() if isinstance(value, dict)}
    return {**config, **changes, **nested}


def _blocks(blocks: list[list[Any]], layers: tuple[int, ...], multipliers: tuple[int, ...]) -> list[list[Any]]:
    """Keep the kinds of `blocks`, with other depths and widths."""
    depths, widths = iter(layers), iter(multipliers)
    return [
        [kind, params | ({"num_layers": next(depths)} if kind == "res_x" else {"multiplier": next(widths)})]
        for kind, params in blocks
    ]


def _checkpoint_config() -> dict[str, Any]:
    full = full_config()
    return _replaced(
        full,
        {
            "transformer": SMALLER_TRANSFORMER,
            "vae": {
                "encoder_blocks": _blocks(full["vae"]["encoder_blocks"], ENCODER_LAYERS, ENCODER_MULTIPLIERS),
                "decoder_blocks": _blocks(full["vae"]["decoder_blocks"], DECODER_LAYERS, DECODER_MULTIPLIERS),
                "decoder_base_channels": DECODER_BASE_CHANNELS,
            },
            "audio_vae": {"model": {"params": {"ddconfig": {"ch_mult": [1, 1, 1], "num_res_blocks": 1}}}},
            "vocoder": {
                "vocoder": {"upsample_initial_channel": 128, **ONE_RESBLOCK},
                "bwe": {"upsample_initial_channel": 32, **ONE_RESBLOCK},
            },
        },
    )


CHECKPOINT_CONFIG = _checkpoint_config()
UPSAMPLER_CONFIG = full_upsampler_config() | {"mid_channels": 128, "num_blocks_per_stage": 1}

# Of the VAE's decoder, from the latent outwards.
DECODER_STRIDES = [STRIDES[kind] for kind, _ in reversed(CHECKPOINT_CONFIG["vae"]["decoder_blocks"]) if kind in STRIDES]
