"""Read the architecture that a checkpoint describes, under the names of diffusers' LTX-2 configurations.

It comes from the `config` metadata of the published one-file layout; what the config leaves out comes from tensor
shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weights.checkpoint import Checkpoint, stored_spelling
from weights.errors import TensorError, UnsupportedError
from weights.header import Header, TensorInfo

Kwargs = dict[str, Any]

VIDEO_PROJECTION = "text_embedding_projection.video_aggregate_embed.weight"
AUDIO_PROJECTION = "text_embedding_projection.audio_aggregate_embed.weight"

# The audio VAE halves its mel frames twice.
AUDIO_DOWNSAMPLING = 4

STRIDES = {"compress_space": "spatial", "compress_time": "temporal", "compress_all": "spatiotemporal"}


@dataclass(frozen=True)
class Architecture:
    """The constructor arguments by component."""

    transformer: Kwargs
    connectors: Kwargs
    video_vae: Kwargs
    audio_vae: Kwargs
    vocoder: Kwargs


def read_architecture(checkpoint: Checkpoint) -> Architecture:
    """Raise WeightsError when the checkpoint is not LTX-2.3's."""
    config = checkpoint.config
    for name in (VIDEO_PROJECTION, AUDIO_PROJECTION):
        _validate_projection(checkpoint, name)
    try:
        _validate_video_vae(checkpoint, config["vae"])
        return Architecture(
            transformer=transformer_kwargs(config["transformer"], config["audio_vae"]),
            connectors=connector_kwargs(config["transformer"], checkpoint.tensors),
            video_vae=video_vae_kwargs(config["vae"]),
            audio_vae=audio_vae_kwargs(config["audio_vae"]),
            vocoder=vocoder_kwargs(config["vocoder"]),
        )
    except KeyError as exc:
        raise UnsupportedError(checkpoint.path, f"its `config` metadata is not LTX-2.3's: {exc} is missing") from exc
    except (TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError) as exc:
        raise UnsupportedError(checkpoint.path, f"its `config` metadata is not LTX-2.3's: {exc}") from exc


def _validate_projection(checkpoint: Checkpoint, name: str) -> None:
    path, spelling = stored_spelling(checkpoint.stored, name, checkpoint.path)
    if name not in checkpoint.tensors:
        raise TensorError(f"{path}: missing tensor {spelling!r}")
    if len(checkpoint.tensors[name].shape) != 2:
        raise TensorError(f"{path}: {spelling!r} has shape {list(checkpoint.tensors[name].shape)}, not two dimensions")


def _validate_video_vae(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    """Refuse a VAE that the streamed decode does not support."""
    blocks = [params for _, params in config["decoder_blocks"]]
    strange = [name for name in ("causal_decoder", "timestep_conditioning") if config.get(name)]
    strange += [name for name in ("residual", "inject_noise") if any(params.get(name) for params in blocks)]
    if config.get("norm_layer", "pixel_norm") != "pixel_norm":
        strange.append("norm_layer")
    if strange:
        raise UnsupportedError(
            checkpoint.path, f"its video VAE is not LTX-2.3's: {', '.join(strange)} is set in its config"
        )


def transformer_kwargs(config: Mapping[str, Any], audio: Mapping[str, Any]) -> Kwargs:
    gated, modulated = config["apply_gated_attention"], config["cross_attention_adaln"]
    max_frames, max_height, max_width = config["positional_embedding_max_pos"]
    stft = audio["preprocessing"]["stft"]
    return {
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "patch_size": 1,
        "patch_size_t": 1,
        "num_attention_heads": config["num_attention_heads"],
        "attention_head_dim": config["attention_head_dim"],
        "cross_attention_dim": config["cross_attention_dim"],
        "vae_scale_factors": (8, 32, 32),
        "pos_embed_max_pos": max_frames,
        "base_height": max_height,
        "base_width": max_width,
        "gated_attn": gated,
        "cross_attn_mod": modulated,
        "audio_in_channels": config.get("audio_in_channels", config["audio_out_channels"]),
        "audio_out_channels": config["audio_out_channels"],
        "audio_patch_size": 1,
        "audio_patch_size_t": 1,
        "audio_num_attention_heads": config["audio_num_attention_heads"],
        "audio_attention_head_dim": config["audio_attention_head_dim"],
        "audio_cross_attention_dim": config["audio_cross_attention_dim"],
        "audio_scale_factor": AUDIO_DOWNSAMPLING,
        "audio_pos_embed_max_pos": config["audio_positional_embedding_max_pos"][0],
        "audio_sampling_rate": audio["model"]["params"]["sampling_rate"],
        "audio_hop_length": stft["hop_length"],
        "audio_gated_attn": gated,
        "audio_cross_attn_mod": modulated,
        "num_layers": config["num_layers"],
        "activation_fn": config["activation_fn"],
        "qk_norm": "rms_norm_across_heads",
        "norm_elementwise_affine": config["norm_elementwise_affine"],
        "norm_eps": config["norm_eps"],
        "caption_channels": config["caption_channels"],
        "attention_bias": config["attention_bias"],
        "attention_out_bias": True,
        "rope_theta": config["positional_embedding_theta"],
        "rope_double_precision": config["frequencies_precision"] == "float64",
        "causal_offset": 1,
        "timestep_scale_multiplier": config["timestep_scale_multiplier"],
        "cross_attn_timestep_scale_multiplier": config["av_ca_timestep_scale_multiplier"],
        "rope_type": config["rope_type"],
        "use_prompt_embeddings": not config["caption_proj_before_connector"],
        "perturbed_attn": True,
    }


def connector_kwargs(config: Mapping[str, Any], tensors: Mapping[str, TensorInfo]) -> Kwargs:
    video_hidden_dim, text_dim = tensors[VIDEO_PROJECTION].shape
    audio_hidden_dim, _ = tensors[AUDIO_PROJECTION].shape
    gated = config["connector_apply_gated_attention"]
    return {
        "caption_channels": config["caption_channels"],
        "text_proj_in_factor": text_dim // config["caption_channels"],
        "video_connector_num_attention_heads": config["connector_num_attention_heads"],
        "video_connector_attention_head_dim": config["connector_attention_head_dim"],
        "video_connector_num_layers": config["connector_num_layers"],
        "video_connector_num_learnable_registers": config["connector_num_learnable_registers"],
        "video_gated_attn": gated,
        "audio_connector_num_attention_heads": config["audio_connector_num_attention_heads"],
        "audio_connector_attention_head_dim": config["audio_connector_attention_head_dim"],
        "audio_connector_num_layers": config.get("audio_connector_num_layers", config["connector_num_layers"]),
        "audio_connector_num_learnable_registers": config["connector_num_learnable_registers"],
        "audio_gated_attn": gated,
        "connector_rope_base_seq_len": config["connector_positional_embedding_max_pos"][0],
        "rope_theta": config["positional_embedding_theta"],
        "rope_double_precision": config["frequencies_precision"] == "float64",
        "causal_temporal_positioning": False,
        "rope_type": config["rope_type"],
        "per_modality_projections": True,
        "video_hidden_dim": video_hidden_dim,
        "audio_hidden_dim": audio_hidden_dim,
        "proj_bias": VIDEO_PROJECTION.removesuffix("weight") + "bias" in tensors,
    }


def video_vae_kwargs(config: Mapping[str, Any]) -> Kwargs:
    encoder = _BlockList(config["encoder_blocks"], config.get("encoder_base_channels", 128))
    decoder = _BlockList(config["decoder_blocks"], config.get("decoder_base_channels", 128))
    padding = config.get("spatial_padding_mode", "zeros")
    stages = len(encoder.strides)
    return {
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "latent_channels": config["latent_channels"],
        "block_out_channels": encoder.channels,
        "down_block_types": ("LTX2VideoDownBlock3D",) * stages,
        "decoder_block_out_channels": decoder.channels,
        "layers_per_block": encoder.layers,
        "decoder_layers_per_block": decoder.layers,
        "spatio_temporal_scaling": (True,) * stages,
        "decoder_spatio_temporal_scaling": (True,) * len(decoder.strides),
        "decoder_inject_noise": decoder.inject_noise,
        "downsample_type": encoder.strides,
        # The one decoder list that diffusers does not reverse itself.
        "upsample_type": decoder.strides[::-1],
        "upsample_residual": decoder.residuals,
        "upsample_factor": decoder.multipliers,
        "timestep_conditioning": config.get("timestep_conditioning", False),
        "patch_size": config["patch_size"],
        "patch_size_t": 1,
        "resnet_norm_eps": 1e-6,
        "encoder_causal": True,
        "decoder_causal": config.get("causal_decoder", False),
        "encoder_spatial_padding_mode": config.get("encoder_spatial_padding_mode", padding),
        "decoder_spatial_padding_mode": config.get("decoder_spatial_padding_mode", padding),
        "spatial_compression_ratio": 32,
        "temporal_compression_ratio": 8,
    }


class _BlockList:
    """The VAE's `encoder_blocks` or `decoder_blocks`, both listed from the pixels inwards."""

    def __init__(self, blocks: list[tuple[str, Mapping[str, Any]]], base_channels: int) -> None:
        resnets = [params for name, params in blocks if name == "res_x"]
        scalings = [(name, params) for name, params in blocks if name != "res_x"]
        self.layers = tuple(params["num_layers"] for params in resnets)
        self.inject_noise = tuple(params.get("inject_noise", False) for params in resnets)
        self.strides = tuple(STRIDES[name.removesuffix("_res")] for name, _ in scalings)
        self.multipliers = tuple(params["multiplier"] for _, params in scalings)
        self.residuals = tuple(params.get("residual", False) for _, params in scalings)
        channels, width = [], base_channels
        for multiplier in self.multipliers:
            width *= multiplier
            channels.append(width)
        self.channels = tuple(channels)


def audio_vae_kwargs(config: Mapping[str, Any]) -> Kwargs:
    dd, stft = config["model"]["params"]["ddconfig"], config["preprocessing"]["stft"]
    return {
        "base_channels": dd["ch"],
        "output_channels": dd["out_ch"],
        "ch_mult": tuple(dd["ch_mult"]),
        "num_res_blocks": dd["num_res_blocks"],
        "attn_resolutions": tuple(dd["attn_resolutions"]) or None,
        "in_channels": dd["in_channels"],
        "resolution": dd["resolution"],
        "latent_channels": dd["z_channels"],
        "norm_type": dd["norm_type"],
        "causality_axis": dd["causality_axis"],
        "dropout": dd["dropout"],
        "mid_block_add_attention": dd["mid_block_add_attention"],
        "sample_rate": config["model"]["params"]["sampling_rate"],
        "mel_hop_length": stft["hop_length"],
        "is_causal": stft["causal"],
        "mel_bins": dd["mel_bins"],
        "double_z": dd["double_z"],
    }


def vocoder_kwargs(config: Mapping[str, Any]) -> Kwargs:
    bwe = config["bwe"]
    return {
        **_generator_kwargs(config["vocoder"], bwe["num_mels"]),
        **{f"bwe_{key}": value for key, value in _generator_kwargs(bwe, bwe["num_mels"]).items()},
        "filter_length": bwe["n_fft"],
        "hop_length": bwe["hop_length"],
        "window_length": bwe.get("win_size", bwe["n_fft"]),
        "num_mel_channels": bwe["num_mels"],
        "input_sampling_rate": bwe["input_sampling_rate"],
        "output_sampling_rate": bwe["output_sampling_rate"],
    }


def _generator_kwargs(config: Mapping[str, Any], mel_bins: int) -> Kwargs:
    channels = 2 if config["stereo"] else 1
    return {
        "in_channels": mel_bins * channels,
        "hidden_channels": config["upsample_initial_channel"],
        "out_channels": channels,
        "upsample_kernel_sizes": config["upsample_kernel_sizes"],
        "upsample_factors": config["upsample_rates"],
        "resnet_kernel_sizes": config["resblock_kernel_sizes"],
        "resnet_dilations": config["resblock_dilation_sizes"],
        "act_fn": config["activation"],
        "leaky_relu_negative_slope": 0.1,
        "antialias": config["resblock"] == "AMP1",
        "antialias_ratio": 2,
        "antialias_kernel_size": 12,
        "final_act_fn": _final_activation(config),
        "final_bias": config["use_bias_at_final"],
    }


def _final_activation(config: Mapping[str, Any]) -> str | None:
    if not config.get("apply_final_activation", True):
        return None
    return "tanh" if config["use_tanh_at_final"] else "clamp"


def upsampler_kwargs(header: Header) -> Kwargs:
    """Return the constructor arguments of the latent upsampler, which is a separate file."""
    config = header.read_config()
    if config is None or config.get("_class_name") != "LatentUpsampler":
        raise UnsupportedError(header.path, "is not a latent upsampler; ltx-2.3-spatial-upscaler-x2-1.1 is needed")
    if config.get("temporal_upsample") or not config.get("spatial_upsample", True) or config["spatial_scale"] != 2.0:
        raise UnsupportedError(header.path, "is not the spatial x2 upsampler")
    return {
        "in_channels": config["in_channels"],
        "mid_channels": config["mid_channels"],
        "num_blocks_per_stage": config["num_blocks_per_stage"],
        "dims": config["dims"],
        "spatial_upsample": True,
        "temporal_upsample": False,
        "rational_spatial_scale": config["spatial_scale"],
        "use_rational_resampler": config["rational_resampler"],
    }
