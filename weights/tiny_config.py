"""The `config` of the tiny LTX-2.3: every feature of the 22B model at widths a laptop computes in seconds.

Some widths are not free: the VAE's encoder starts at its 128 latent channels, the audio VAE's base width is that of a
packed audio latent, 8 x 16, and every matrix of the text encoder has to fit bitsandbytes' 4-bit kernels, which take
rows by 32 and columns by 64 on some CPUs.
"""

from typing import Any

TEXT_WIDTH, TEXT_LAYERS = 64, 3

_GENERATOR = {
    "resblock": "AMP1",
    "stereo": True,
    "activation": "snakebeta",
    "use_tanh_at_final": False,
    "use_bias_at_final": False,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
}


def _blocks(suffix: str, multipliers: tuple[int, int, int, int]) -> list[list[Any]]:
    kinds = ("compress_space", "compress_time", "compress_all", "compress_all")
    blocks: list[list[Any]] = [["res_x", {"num_layers": 1}]]
    for kind, multiplier in zip(kinds, multipliers, strict=True):
        blocks += [[kind + suffix, {"multiplier": multiplier}], ["res_x", {"num_layers": 1}]]
    return blocks


CHECKPOINT_CONFIG: dict[str, Any] = {
    "transformer": {
        "_class_name": "AVTransformer3DModel",
        "activation_fn": "gelu-approximate",
        "attention_bias": True,
        "attention_head_dim": 24,
        "caption_channels": TEXT_WIDTH,
        "cross_attention_dim": 48,
        "in_channels": 128,
        "norm_elementwise_affine": False,
        "norm_eps": 1e-06,
        "num_attention_heads": 2,
        "num_layers": 2,
        "out_channels": 128,
        "qk_norm": "rms_norm",
        "standardization_norm": "rms_norm",
        "positional_embedding_type": "rope",
        "positional_embedding_theta": 10000.0,
        "positional_embedding_max_pos": [20, 2048, 2048],
        "timestep_scale_multiplier": 1000,
        "av_ca_timestep_scale_multiplier": 1000.0,
        "causal_temporal_positioning": True,
        "audio_num_attention_heads": 2,
        "audio_attention_head_dim": 12,
        "audio_out_channels": 128,
        "audio_cross_attention_dim": 24,
        "audio_positional_embedding_max_pos": [20],
        "use_audio_video_cross_attention": True,
        "av_cross_ada_norm": True,
        "connector_attention_head_dim": 24,
        "connector_num_attention_heads": 2,
        "connector_num_layers": 1,
        "connector_positional_embedding_max_pos": [4096],
        "connector_num_learnable_registers": 128,
        "use_middle_indices_grid": True,
        "apply_gated_attention": True,
        "connector_apply_gated_attention": True,
        "caption_projection_first_linear": False,
        "caption_projection_second_linear": False,
        "caption_proj_input_norm": False,
        "caption_proj_before_connector": True,
        "audio_connector_attention_head_dim": 12,
        "audio_connector_num_attention_heads": 2,
        "cross_attention_adaln": True,
        "text_encoder_norm_type": "per_token_rms",
        "rope_type": "split",
        "frequencies_precision": "float64",
    },
    "vae": {
        "_class_name": "CausalVideoAutoencoder",
        "dims": 3,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 128,
        "encoder_blocks": _blocks("_res", (1, 1, 1, 1)),
        "decoder_blocks": _blocks("", (2, 2, 1, 2)),
        "norm_layer": "pixel_norm",
        "patch_size": 4,
        "latent_log_var": "uniform",
        "causal_decoder": False,
        "timestep_conditioning": False,
        "encoder_base_channels": 128,
        "decoder_base_channels": 8,
        "spatial_padding_mode": "zeros",
    },
    "audio_vae": {
        "model": {
            "params": {
                "sampling_rate": 16000,
                "ddconfig": {
                    "double_z": True,
                    "mel_bins": 64,
                    "z_channels": 8,
                    "resolution": 256,
                    "in_channels": 2,
                    "out_ch": 2,
                    "ch": 128,
                    "ch_mult": [1, 1, 1],
                    "num_res_blocks": 1,
                    "attn_resolutions": [],
                    "dropout": 0.0,
                    "mid_block_add_attention": False,
                    "norm_type": "pixel",
                    "causality_axis": "height",
                },
            }
        },
        "preprocessing": {
            "stft": {"filter_length": 1024, "hop_length": 160, "win_length": 1024, "causal": True},
            "mel": {"n_mel_channels": 64, "mel_fmin": 0, "mel_fmax": 8000},
        },
    },
    "vocoder": {
        "vocoder": {
            **_GENERATOR,
            "upsample_initial_channel": 128,
            "upsample_rates": [5, 2, 2, 2, 2, 2],
            "upsample_kernel_sizes": [11, 4, 4, 4, 4, 4],
        },
        "bwe": {
            **_GENERATOR,
            "upsample_initial_channel": 32,
            "upsample_rates": [6, 5, 2, 2, 2],
            "upsample_kernel_sizes": [12, 11, 4, 4, 4],
            "apply_final_activation": False,
            "input_sampling_rate": 16000,
            "output_sampling_rate": 48000,
            "hop_length": 80,
            "n_fft": 512,
            "win_size": 512,
            "num_mels": 64,
        },
    },
    "scheduler": {"_class_name": "RectifiedFlowScheduler", "sampler": "LinearQuadratic"},
}

UPSAMPLER_CONFIG: dict[str, Any] = {
    "_class_name": "LatentUpsampler",
    "in_channels": 128,
    "mid_channels": 32,
    "num_blocks_per_stage": 1,
    "dims": 3,
    "spatial_upsample": True,
    "temporal_upsample": False,
    "spatial_scale": 2.0,
    "rational_resampler": False,
}
