"""Define the tiny LTX-2.3: the published 22B config with widths that a laptop computes in seconds.

Some widths are not free: the VAE's encoder starts at its 128 latent channels, the audio VAE's base width is that of a
packed audio latent, 8 x 16, and every matrix of the text encoder has to fit bitsandbytes' 4-bit kernels, which take
rows by 32 and columns by 64 on some CPUs.
"""

from collections.abc import Mapping
from typing import Any

from weights.full_config import full_config, full_upsampler_config

TEXT_WIDTH, TEXT_LAYERS = 64, 3

SMALLER_TRANSFORMER = {
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 24,
    "cross_attention_dim": 48,
    "caption_channels": TEXT_WIDTH,
    "audio_num_attention_heads": 2,
    "audio_attention_head_dim": 12,
    "audio_cross_attention_dim": 24,
    "connector_num_layers": 1,
    "connector_num_attention_heads": 2,
    "connector_attention_head_dim": 24,
    "audio_connector_num_attention_heads": 2,
    "audio_connector_attention_head_dim": 12,
}
ENCODER_MULTIPLIERS = (1, 1, 1, 1)
DECODER_BASE_CHANNELS = 8


def _replaced(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with the values of `changes`, which may be nested."""
    nested = {key: _replaced(config[key], value) for key, value in changes.items() if isinstance(value, dict)}
    return {**config, **changes, **nested}


def _one_layer(blocks: list[list[Any]]) -> list[list[Any]]:
    """Keep one residual layer in each block."""
    return [[kind, params | {"num_layers": 1} if kind == "res_x" else params] for kind, params in blocks]


def _with_multipliers(blocks: list[list[Any]], multipliers: tuple[int, ...]) -> list[list[Any]]:
    rest = iter(multipliers)
    return [[kind, params if kind == "res_x" else params | {"multiplier": next(rest)}] for kind, params in blocks]


def _checkpoint_config() -> dict[str, Any]:
    full = full_config()
    encoder = _with_multipliers(_one_layer(full["vae"]["encoder_blocks"]), ENCODER_MULTIPLIERS)
    return _replaced(
        full,
        {
            "transformer": SMALLER_TRANSFORMER,
            "vae": {
                "encoder_blocks": encoder,
                "decoder_blocks": _one_layer(full["vae"]["decoder_blocks"]),
                "decoder_base_channels": DECODER_BASE_CHANNELS,
            },
            "audio_vae": {"model": {"params": {"ddconfig": {"ch_mult": [1, 1, 1], "num_res_blocks": 1}}}},
            "vocoder": {"vocoder": {"upsample_initial_channel": 128}, "bwe": {"upsample_initial_channel": 32}},
        },
    )


CHECKPOINT_CONFIG = _checkpoint_config()
UPSAMPLER_CONFIG = full_upsampler_config() | {"mid_channels": 32, "num_blocks_per_stage": 1}
