"""The `config` of the 22B model: the tiny one's with the widths and depths of ltx-2.3-22b-distilled, and Gemma 3 12B's.

Its tensors are those of the published file (tests/weights/test_published.py).
"""

from typing import Any

from weights.tiny_config import CHECKPOINT_CONFIG, UPSAMPLER_CONFIG

# Gemma 3 12B: 48 layers and the embedding.
TEXT_LAYERS = 49

GEMMA_12B: dict[str, Any] = {
    "hidden_size": 3840,
    "intermediate_size": 15360,
    "num_hidden_layers": TEXT_LAYERS - 1,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "sliding_window": 1024,
}

TRANSFORMER: dict[str, Any] = CHECKPOINT_CONFIG["transformer"] | {
    "num_layers": 48,
    "num_attention_heads": 32,
    "attention_head_dim": 128,
    "cross_attention_dim": 4096,
    "caption_channels": 3840,
    "audio_num_attention_heads": 32,
    "audio_attention_head_dim": 64,
    "audio_cross_attention_dim": 2048,
    "connector_num_layers": 8,
    "connector_num_attention_heads": 32,
    "connector_attention_head_dim": 128,
    "audio_connector_num_attention_heads": 32,
    "audio_connector_attention_head_dim": 64,
}

UPSAMPLER: dict[str, Any] = UPSAMPLER_CONFIG | {"mid_channels": 1024, "num_blocks_per_stage": 4}


def _vae_blocks(suffix: str, multipliers: tuple[int, ...]) -> list[list[Any]]:
    kinds = ("compress_space", "compress_time", "compress_all", "compress_all")
    blocks: list[list[Any]] = [["res_x", {"num_layers": 4}]]
    for kind, multiplier, layers in zip(kinds, multipliers, (6, 4, 2, 2), strict=True):
        blocks += [[kind + suffix, {"multiplier": multiplier}], ["res_x", {"num_layers": layers}]]
    return blocks


def full_config() -> dict[str, Any]:
    audio, vocoder = CHECKPOINT_CONFIG["audio_vae"], CHECKPOINT_CONFIG["vocoder"]
    params = audio["model"]["params"]
    ddconfig = params["ddconfig"] | {"ch_mult": [1, 2, 4], "num_res_blocks": 2}
    return CHECKPOINT_CONFIG | {
        "transformer": TRANSFORMER,
        "vae": CHECKPOINT_CONFIG["vae"]
        | {
            "encoder_blocks": _vae_blocks("_res", (2, 2, 2, 1)),
            "decoder_blocks": _vae_blocks("", (2, 2, 1, 2)),
            "decoder_base_channels": 128,
        },
        "audio_vae": audio | {"model": {"params": params | {"ddconfig": ddconfig}}},
        "vocoder": {
            "vocoder": vocoder["vocoder"] | {"upsample_initial_channel": 1536},
            "bwe": vocoder["bwe"] | {"upsample_initial_channel": 512},
        },
    }
