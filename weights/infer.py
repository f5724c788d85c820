"""Infer the `config` of LTX-2.3 from the shapes of its tensors, for files that have none.

Shapes give every width, depth and head count. What they cannot give (frequencies, sample rates, dilations) is the same
in all LTX-2.3 files and comes from the published config.
"""

import re
from collections.abc import Mapping
from typing import Any

from weights.full_config import full_config
from weights.header import TensorInfo
from weights.names import MODEL

Tensors = Mapping[str, TensorInfo]
Config = dict[str, Any]

PUBLISHED: dict[str, Config] = full_config()

VIDEO_CONNECTOR = f"{MODEL}video_embeddings_connector."
AUDIO_CONNECTOR = f"{MODEL}audio_embeddings_connector."

KIND_BY_STRIDE = {4: "compress_space", 2: "compress_time", 8: "compress_all"}


def infer_transformer(tensors: Tensors, caption_channels: int) -> Config:
    """Infer the transformer's config. `caption_channels` is the text encoder's width, which no tensor here shows."""
    video_heads, video_dim = _attention(tensors, f"{MODEL}transformer_blocks.0.attn1")
    audio_heads, audio_dim = _attention(tensors, f"{MODEL}transformer_blocks.0.audio_attn1")
    connector_heads, connector_dim = _attention(tensors, f"{VIDEO_CONNECTOR}transformer_1d_blocks.0.attn1")
    audio_connector = _attention(tensors, f"{AUDIO_CONNECTOR}transformer_1d_blocks.0.attn1")
    return PUBLISHED["transformer"] | {
        "num_layers": _count(tensors, rf"{re.escape(MODEL)}transformer_blocks\.(\d+)\."),
        "num_attention_heads": video_heads,
        "attention_head_dim": video_dim // video_heads,
        "in_channels": _shape(tensors, f"{MODEL}patchify_proj.weight")[1],
        "out_channels": _shape(tensors, f"{MODEL}proj_out.weight")[0],
        "cross_attention_dim": _shape(tensors, f"{MODEL}transformer_blocks.0.attn2.to_k.weight")[1],
        "caption_channels": caption_channels,
        "audio_num_attention_heads": audio_heads,
        "audio_attention_head_dim": audio_dim // audio_heads,
        "audio_in_channels": _shape(tensors, f"{MODEL}audio_patchify_proj.weight")[1],
        "audio_out_channels": _shape(tensors, f"{MODEL}audio_proj_out.weight")[0],
        "audio_cross_attention_dim": _shape(tensors, f"{MODEL}transformer_blocks.0.audio_attn2.to_k.weight")[1],
        "connector_num_attention_heads": connector_heads,
        "connector_attention_head_dim": connector_dim // connector_heads,
        "connector_num_layers": _connector_layers(tensors, "video"),
        "audio_connector_num_attention_heads": audio_connector[0],
        "audio_connector_attention_head_dim": audio_connector[1] // audio_connector[0],
        "audio_connector_num_layers": _connector_layers(tensors, "audio"),
        "connector_num_learnable_registers": _shape(tensors, f"{VIDEO_CONNECTOR}learnable_registers")[0],
    }


def infer_video_vae(tensors: Tensors) -> Config:
    pixels = _shape(tensors, "vae.encoder.conv_in.conv.weight")[1]
    encoder = _vae_blocks(tensors, "vae.encoder.down_blocks", suffix="_res")
    # Built from the latent outwards, listed from the pixels inwards.
    decoder = _vae_blocks(tensors, "vae.decoder.up_blocks", suffix="")[::-1]
    return PUBLISHED["vae"] | {
        "latent_channels": _shape(tensors, "vae.decoder.conv_in.conv.weight")[1],
        "patch_size": round((pixels / 3) ** 0.5),
        "encoder_blocks": encoder,
        "decoder_blocks": decoder,
        "encoder_base_channels": _shape(tensors, "vae.encoder.conv_in.conv.weight")[0],
        "decoder_base_channels": _shape(tensors, "vae.decoder.conv_out.conv.weight")[1],
    }


def infer_audio_vae(tensors: Tensors) -> Config:
    encoder = "audio_vae.encoder."
    levels = _count(tensors, r"audio_vae\.encoder\.down\.(\d+)\.")
    base = _shape(tensors, f"{encoder}conv_in.conv.weight")[0]
    widths = [_shape(tensors, f"{encoder}down.{i}.block.0.conv1.conv.weight")[0] for i in range(levels)]
    latent = _shape(tensors, "audio_vae.decoder.conv_in.conv.weight")[1]
    params = PUBLISHED["audio_vae"]["model"]["params"]
    ddconfig = params["ddconfig"] | {
        "ch": base,
        "ch_mult": [width // base for width in widths],
        "num_res_blocks": _count(tensors, r"audio_vae\.encoder\.down\.0\.block\.(\d+)\."),
        "z_channels": latent,
        "double_z": _shape(tensors, f"{encoder}conv_out.conv.weight")[0] == 2 * latent,
        "in_channels": _shape(tensors, f"{encoder}conv_in.conv.weight")[1],
        "out_ch": _shape(tensors, "audio_vae.decoder.conv_out.conv.weight")[0],
    }
    return PUBLISHED["audio_vae"] | {"model": {"params": params | {"ddconfig": ddconfig}}}


def infer_vocoder(tensors: Tensors) -> Config:
    mel_bins, _ = _shape(tensors, "vocoder.mel_stft.mel_basis")
    n_fft = _shape(tensors, "vocoder.mel_stft.stft_fn.forward_basis")[2]
    stft = {"num_mels": mel_bins, "n_fft": n_fft, "win_size": n_fft}
    published = PUBLISHED["vocoder"]
    return {
        "vocoder": published["vocoder"] | _generator(tensors, "vocoder.vocoder"),
        "bwe": published["bwe"] | stft | _generator(tensors, "vocoder.bwe_generator"),
    }


def _attention(tensors: Tensors, name: str) -> tuple[int, int]:
    """Return the number of heads and the inner width."""
    return _shape(tensors, f"{name}.to_gate_logits.weight")[0], _shape(tensors, f"{name}.to_q.weight")[0]


def _connector_layers(tensors: Tensors, modality: str) -> int:
    return _count(tensors, rf"{re.escape(MODEL)}{modality}_embeddings_connector\.transformer_1d_blocks\.(\d+)\.")


def _vae_blocks(tensors: Tensors, name: str, suffix: str) -> list[list[Any]]:
    """List resnets at even places and scalings at odd ones, whose kind follows from the widths around them."""
    blocks: list[list[Any]] = []
    last = max(int(place) for place in _matches(tensors, rf"{re.escape(name)}\.(\d+)\."))
    for i in range(last + last % 2 + 1):  # ends with resnets, of which there may be none
        if i % 2 == 0:
            blocks.append(["res_x", {"num_layers": _count(tensors, rf"{re.escape(name)}\.{i}\.res_blocks\.(\d+)\.")}])
            continue
        convolved, before = _shape(tensors, f"{name}.{i}.conv.conv.weight")[:2]
        after = _width_at(tensors, name, i + 1)
        stride = max(after, convolved) // min(after, convolved)
        multiplier = max(after, before) // min(after, before)
        blocks.append([KIND_BY_STRIDE[stride] + suffix, {"multiplier": multiplier}])
    return blocks


def _width_at(tensors: Tensors, name: str, place: int) -> int:
    """Return the input channels of the first convolution from a place of resnets on."""
    resnet, scaling = f"{name}.{place}.res_blocks.0.conv1.conv.weight", f"{name}.{place + 1}.conv.conv.weight"
    last = f"{name.rpartition('.')[0]}.conv_out.conv.weight"
    return _shape(tensors, next((found for found in (resnet, scaling) if found in tensors), last))[1]


def _generator(tensors: Tensors, name: str) -> Config:
    stages = _count(tensors, rf"{re.escape(name)}\.ups\.(\d+)\.")
    blocks = _count(tensors, rf"{re.escape(name)}\.resblocks\.(\d+)\.") // stages
    kernels = [_shape(tensors, f"{name}.ups.{i}.weight")[2] for i in range(stages)]
    dilations = PUBLISHED["vocoder"]["vocoder"]["resblock_dilation_sizes"][0]
    depths = [_count(tensors, rf"{re.escape(name)}\.resblocks\.{i}\.convs1\.(\d+)\.") for i in range(blocks)]
    return {
        "stereo": _shape(tensors, f"{name}.conv_post.weight")[0] == 2,
        "use_bias_at_final": f"{name}.conv_post.bias" in tensors,
        "upsample_initial_channel": _shape(tensors, f"{name}.conv_pre.weight")[0],
        "upsample_kernel_sizes": kernels,
        # In every stage of LTX-2.3's vocoder the kernel is twice the rate, or one more.
        "upsample_rates": [kernel // 2 for kernel in kernels],
        "resblock_kernel_sizes": [_shape(tensors, f"{name}.resblocks.{i}.convs1.0.weight")[2] for i in range(blocks)],
        "resblock_dilation_sizes": [dilations[:depth] for depth in depths],
    }


def _shape(tensors: Tensors, name: str) -> tuple[int, ...]:
    """Return a tensor's shape. KeyError names a missing one."""
    return tensors[name].shape


def _count(tensors: Tensors, pattern: str) -> int:
    return len(_matches(tensors, pattern))


def _matches(tensors: Tensors, pattern: str) -> set[str]:
    return {match[1] for name in tensors if (match := re.match(pattern, name))}
