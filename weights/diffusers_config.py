"""The config.json of each component of a diffusers folder, as constructor arguments of its class.

A key that a config lacks has LTX-2.3's value, not the class's default, which is LTX-2.0's; where that is wrong, a shape
does not match. A key that is not in the table, or that says what the flow here does not do, is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weights.architecture import Kwargs
from weights.component import CONFIG_NAME, Component
from weights.errors import UnsupportedError

NULLABLE = {"attn_resolutions", "final_act_fn", "bwe_final_act_fn"}


@dataclass(frozen=True)
class Model:
    """sizes, constants: as in diffusers/LTX-2.3-Distilled-Diffusers. A config may have another size, where the tensors
    have it too, and another constant. fixed: what no LTX-2.3 has otherwise, and the flow relies on.
    """

    class_name: str
    sizes: Kwargs
    constants: Kwargs
    fixed: Kwargs

    @property
    def values(self) -> Kwargs:
        return self.sizes | self.constants | self.fixed


TRANSFORMER = Model(
    "LTX2VideoTransformer3DModel",
    sizes={
        "in_channels": 128,
        "out_channels": 128,
        "num_attention_heads": 32,
        "attention_head_dim": 128,
        "cross_attention_dim": 4096,
        "audio_in_channels": 128,
        "audio_out_channels": 128,
        "audio_num_attention_heads": 32,
        "audio_attention_head_dim": 64,
        "audio_cross_attention_dim": 2048,
        "num_layers": 48,
        "caption_channels": 3840,
    },
    constants={
        "pos_embed_max_pos": 20,
        "base_height": 2048,
        "base_width": 2048,
        "audio_pos_embed_max_pos": 20,
        "audio_sampling_rate": 16000,
        "audio_hop_length": 160,
        "activation_fn": "gelu-approximate",
        "norm_elementwise_affine": False,
        "norm_eps": 1e-6,
        "attention_bias": True,
        "rope_theta": 10000.0,
        "rope_double_precision": True,
        "timestep_scale_multiplier": 1000,
        "cross_attn_timestep_scale_multiplier": 1000,
    },
    fixed={
        "patch_size": 1,
        "patch_size_t": 1,
        "vae_scale_factors": [8, 32, 32],
        "gated_attn": True,
        "cross_attn_mod": True,
        "audio_patch_size": 1,
        "audio_patch_size_t": 1,
        "audio_scale_factor": 4,
        "audio_gated_attn": True,
        "audio_cross_attn_mod": True,
        "qk_norm": "rms_norm_across_heads",
        "attention_out_bias": True,
        "causal_offset": 1,
        "rope_type": "split",
        "use_prompt_embeddings": False,
        "perturbed_attn": True,
        # Keys of LTX-2.5.
        "ff_bias": True,
        "audio_ff_bias": True,
        "use_prompt_adaln_single": True,
        "use_keyframes_abs_pos_embedding": False,
    },
)

CONNECTORS = Model(
    "LTX2TextConnectors",
    sizes={
        "caption_channels": 3840,
        "text_proj_in_factor": 49,
        "video_connector_num_attention_heads": 32,
        "video_connector_attention_head_dim": 128,
        "video_connector_num_layers": 8,
        "video_connector_num_learnable_registers": 128,
        "audio_connector_num_attention_heads": 32,
        "audio_connector_attention_head_dim": 64,
        "audio_connector_num_layers": 8,
        "audio_connector_num_learnable_registers": 128,
        "video_hidden_dim": 4096,
        "audio_hidden_dim": 2048,
    },
    constants={
        "connector_rope_base_seq_len": 4096,
        "rope_theta": 10000.0,
        "rope_double_precision": True,
        "proj_bias": True,
    },
    fixed={
        "video_gated_attn": True,
        "audio_gated_attn": True,
        "causal_temporal_positioning": False,
        "rope_type": "split",
        "per_modality_projections": True,
    },
)

VIDEO_VAE = Model(
    "AutoencoderKLLTX2Video",
    sizes={
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 128,
        "block_out_channels": [256, 512, 1024, 1024],
        "decoder_block_out_channels": [256, 512, 512, 1024],
        "layers_per_block": [4, 6, 4, 2, 2],
        "decoder_layers_per_block": [4, 6, 4, 2, 2],
    },
    constants={
        "down_block_types": ["LTX2VideoDownBlock3D"] * 4,
        "encoder_spatial_padding_mode": "zeros",
        "decoder_spatial_padding_mode": "zeros",
        "resnet_norm_eps": 1e-6,
    },
    # The decode streams through the decoder, and knows LTX-2.3's.
    fixed={
        "spatio_temporal_scaling": [True] * 4,
        "decoder_spatio_temporal_scaling": [True] * 4,
        "decoder_inject_noise": [False] * 5,
        "downsample_type": ["spatial", "temporal", "spatiotemporal", "spatiotemporal"],
        "upsample_type": ["spatiotemporal", "spatiotemporal", "temporal", "spatial"],
        "upsample_residual": [False] * 4,
        "upsample_factor": [2, 2, 1, 2],
        "timestep_conditioning": False,
        "patch_size": 4,
        "patch_size_t": 1,
        "scaling_factor": 1.0,
        "encoder_causal": True,
        "decoder_causal": False,
        "spatial_compression_ratio": 32,
        "temporal_compression_ratio": 8,
    },
)

AUDIO_VAE = Model(
    "AutoencoderKLLTX2Audio",
    sizes={
        "base_channels": 128,
        "output_channels": 2,
        "ch_mult": [1, 2, 4],
        "num_res_blocks": 2,
        "in_channels": 2,
        "latent_channels": 8,
    },
    constants={
        "attn_resolutions": None,
        "resolution": 256,
        "norm_type": "pixel",
        "causality_axis": "height",
        "dropout": 0.0,
        "mid_block_add_attention": False,
        "sample_rate": 16000,
        "mel_hop_length": 160,
        "is_causal": True,
        "mel_bins": 64,
        "double_z": True,
    },
    fixed={},
)


def _generator(hidden_channels: int, kernel_sizes: list[int], factors: list[int], activation: str | None) -> Kwargs:
    return {
        "in_channels": 128,
        "hidden_channels": hidden_channels,
        "out_channels": 2,
        "upsample_kernel_sizes": kernel_sizes,
        "upsample_factors": factors,
        "resnet_kernel_sizes": [3, 7, 11],
        "resnet_dilations": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "act_fn": "snakebeta",
        "leaky_relu_negative_slope": 0.1,
        "antialias": True,
        "antialias_ratio": 2,
        "antialias_kernel_size": 12,
        "final_act_fn": activation,
        "final_bias": False,
    }


BANDWIDTH_EXTENSION = _generator(512, [12, 11, 4, 4, 4], [6, 5, 2, 2, 2], None)

VOCODER = Model(
    "LTX2VocoderWithBWE",
    sizes=_generator(1536, [11, 4, 4, 4, 4, 4], [5, 2, 2, 2, 2, 2], "clamp")
    | {f"bwe_{key}": value for key, value in BANDWIDTH_EXTENSION.items()},
    constants={
        "filter_length": 512,
        "hop_length": 80,
        "window_length": 512,
        "num_mel_channels": 64,
        "input_sampling_rate": 16000,
        "output_sampling_rate": 48000,
    },
    fixed={},
)

# As in ltx-2.3-spatial-upscaler-x2-1.1.
UPSAMPLER = Model(
    "LTX2LatentUpsamplerModel",
    sizes={"in_channels": 128, "mid_channels": 1024, "num_blocks_per_stage": 4},
    constants={"use_rational_resampler": False},
    fixed={"dims": 3, "spatial_upsample": True, "temporal_upsample": False, "rational_spatial_scale": 2.0},
)

MODELS = {
    "transformer": TRANSFORMER,
    "connectors": CONNECTORS,
    "video_vae": VIDEO_VAE,
    "audio_vae": AUDIO_VAE,
    "vocoder": VOCODER,
    "upsampler": UPSAMPLER,
}


def component_kwargs(name: str, component: Component) -> Kwargs:
    """Raises UnsupportedError with the key that is wrong."""
    model, path = MODELS[name], component.path / CONFIG_NAME
    class_name = component.config.get("_class_name", model.class_name)
    if class_name != model.class_name:
        raise UnsupportedError(path, f"is {class_name}'s; LTX-2.3 has {model.class_name}")
    # How it was saved: class, version, name.
    config = {key: value for key, value in component.config.items() if not key.startswith("_")}
    for key, value in config.items():
        problem = _problem(model, key, value)
        if problem:
            raise UnsupportedError(path, f"{key!r} is {value!r}; {problem}")
    return _with_final_activation(name, model.values | config)


def _problem(model: Model, key: str, value: Any) -> str | None:
    if key not in model.values:
        return f"{model.class_name} of LTX-2.3 has no such key"
    if key in model.fixed and value != model.fixed[key]:
        return f"LTX-2.3 has {model.fixed[key]!r}"
    if not (value is None and key in NULLABLE) and not _is_alike(value, model.values[key]):
        return f"something like {model.values[key]!r} is needed"
    return None


def _is_alike(value: Any, example: Any) -> bool:
    if example is None:
        return isinstance(value, (str, list))
    if isinstance(example, (int, float)) and not isinstance(example, bool):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, type(example))


def _with_final_activation(name: str, kwargs: Mapping[str, Any]) -> Kwargs:
    """diffusers' conversion of LTX-2.3 dropped the activation at the end of the vocoder's first stage."""
    if name != "vocoder":
        return dict(kwargs)
    return {**kwargs, "final_act_fn": kwargs["final_act_fn"] or "clamp"}
