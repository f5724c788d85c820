"""The widths and constants of a transformer."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

# What the code beside this file computes; a configuration with another value is refused.
FIXED = {
    "activation_fn": "gelu-approximate",
    "attention_bias": True,
    "attention_out_bias": True,
    "audio_cross_attn_mod": True,
    "audio_gated_attn": True,
    "causal_offset": 1,
    "cross_attn_mod": True,
    "gated_attn": True,
    "norm_elementwise_affine": False,
    "patch_size": 1,
    "patch_size_t": 1,
    "qk_norm": "rms_norm_across_heads",
    "rope_double_precision": True,
    "rope_type": "split",
    "use_prompt_embeddings": False,
}


@dataclass(frozen=True)
class TransformerConfig:
    """A configuration under the names of diffusers' config.json."""

    num_layers: int
    num_attention_heads: int
    attention_head_dim: int
    in_channels: int
    out_channels: int
    cross_attention_dim: int
    audio_num_attention_heads: int
    audio_attention_head_dim: int
    audio_in_channels: int
    audio_out_channels: int
    audio_cross_attention_dim: int
    norm_eps: float
    timestep_scale_multiplier: float
    cross_attn_timestep_scale_multiplier: float
    rope_theta: float
    pos_embed_max_pos: float
    base_height: float
    base_width: float
    audio_pos_embed_max_pos: float

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> "TransformerConfig":
        """Take what is needed from a whole configuration. Raises ValueError if it is another transformer's."""
        for key, value in FIXED.items():
            if kwargs[key] != value:
                raise ValueError(f"{key} is {kwargs[key]!r}, not {value!r}")
        return cls(**{field.name: kwargs[field.name] for field in fields(cls)})

    @property
    def width(self) -> int:
        return self.num_attention_heads * self.attention_head_dim

    @property
    def audio_width(self) -> int:
        return self.audio_num_attention_heads * self.audio_attention_head_dim
