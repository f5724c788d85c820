"""Compute the published one-file layout from its `config`: every tensor's name, shape and dtype.

It is written from the reference's modules, not from diffusers' names, so that it checks `names` rather than repeats
it. The 22B config yields the 5,947 tensors of ltx-2.3-22b-distilled-1.1.safetensors.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import prod
from typing import Any

from weights.header import TensorInfo
from weights.names import MODEL

Shape = tuple[int, ...]
Tensors = Iterator[tuple[str, Shape]]
Config = Mapping[str, Any]

VOCODER_FILTER_TAPS = 12


def published_tensors(config: Config, text_layers: int) -> dict[str, TensorInfo]:
    """Return all tensors of a one-file checkpoint.

    text_layers: hidden states of the text encoder, including the embedding.
    """
    tensors = {
        **dict(_prefixed(MODEL, _transformer(config["transformer"]))),
        **dict(_prefixed("text_embedding_projection.", _projections(config["transformer"], text_layers))),
        **dict(_prefixed("vae.", _video_vae(config["vae"]))),
        **dict(_prefixed("audio_vae.", _audio_vae(config["audio_vae"]["model"]["params"]["ddconfig"]))),
        **dict(_prefixed("vocoder.", _vocoder(config["vocoder"]))),
    }
    return {name: TensorInfo(_dtype(name), shape) for name, shape in tensors.items()}


def _dtype(name: str) -> str:
    return "F32" if "scale_shift_table" in name else "BF16"


def upsampler_tensors(config: Config) -> dict[str, TensorInfo]:
    mid, channels = config["mid_channels"], config["in_channels"]
    names = [
        *_conv("initial_conv", channels, mid, (3, 3, 3)),
        *_affine("initial_norm", mid),
        *_upsampler_blocks("res_blocks", mid, config["num_blocks_per_stage"]),
        *_conv("upsampler.0", mid, 4 * mid, (3, 3)),
        *_upsampler_blocks("post_upsample_res_blocks", mid, config["num_blocks_per_stage"]),
        *_conv("final_conv", mid, channels, (3, 3, 3)),
    ]
    return {name: TensorInfo("BF16", shape) for name, shape in names}


def _prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return ((prefix + name, shape) for name, shape in tensors)


def _linear(name: str, inputs: int, outputs: int) -> Tensors:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _conv(name: str, inputs: int, outputs: int, kernel: Shape, bias: bool = True) -> Tensors:
    yield f"{name}.weight", (outputs, inputs, *kernel)
    if bias:
        yield f"{name}.bias", (outputs,)


def _affine(name: str, channels: int) -> Tensors:
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


def _attention(name: str, heads: int, query: int, key: int, inner: int) -> Tensors:
    yield f"{name}.q_norm.weight", (inner,)
    yield f"{name}.k_norm.weight", (inner,)
    yield from _linear(f"{name}.to_q", query, inner)
    yield from _linear(f"{name}.to_k", key, inner)
    yield from _linear(f"{name}.to_v", key, inner)
    yield from _linear(f"{name}.to_out.0", inner, query)
    yield from _linear(f"{name}.to_gate_logits", query, heads)


def _feed_forward(name: str, dim: int) -> Tensors:
    yield from _linear(f"{name}.net.0.proj", dim, 4 * dim)
    yield from _linear(f"{name}.net.2", 4 * dim, dim)


def _adaln(name: str, dim: int, rows: int) -> Tensors:
    yield from _linear(f"{name}.emb.timestep_embedder.linear_1", 256, dim)
    yield from _linear(f"{name}.emb.timestep_embedder.linear_2", dim, dim)
    yield from _linear(f"{name}.linear", dim, rows * dim)


def _transformer(c: Config) -> Tensors:
    dims = {
        "": (c["num_attention_heads"] * c["attention_head_dim"], c["in_channels"], c["out_channels"]),
        "audio_": (
            c["audio_num_attention_heads"] * c["audio_attention_head_dim"],
            c.get("audio_in_channels", c["audio_out_channels"]),
            c["audio_out_channels"],
        ),
    }
    for prefix, (dim, inputs, outputs) in dims.items():
        yield from _linear(f"{prefix}patchify_proj", inputs, dim)
        yield from _linear(f"{prefix}proj_out", dim, outputs)
        yield from _adaln(f"{prefix}adaln_single", dim, 9)
        yield from _adaln(f"{prefix}prompt_adaln_single", dim, 2)
        yield f"{prefix}scale_shift_table", (2, dim)
    (video, *_), (audio, *_) = dims.values()
    yield from _adaln("av_ca_video_scale_shift_adaln_single", video, 4)
    yield from _adaln("av_ca_audio_scale_shift_adaln_single", audio, 4)
    yield from _adaln("av_ca_a2v_gate_adaln_single", video, 1)
    yield from _adaln("av_ca_v2a_gate_adaln_single", audio, 1)
    for i in range(c["num_layers"]):
        yield from _prefixed(f"transformer_blocks.{i}.", _block(c, video, audio))
    yield from _prefixed("video_embeddings_connector.", _connector(c, ""))
    yield from _prefixed("audio_embeddings_connector.", _connector(c, "audio_"))


def _block(c: Config, video: int, audio: int) -> Tensors:
    heads, audio_heads = c["num_attention_heads"], c["audio_num_attention_heads"]
    text, audio_text = c["cross_attention_dim"], c["audio_cross_attention_dim"]
    yield from _attention("attn1", heads, video, video, video)
    yield from _attention("attn2", heads, video, text, video)
    yield from _attention("audio_attn1", audio_heads, audio, audio, audio)
    yield from _attention("audio_attn2", audio_heads, audio, audio_text, audio)
    yield from _attention("audio_to_video_attn", audio_heads, video, audio, audio)
    yield from _attention("video_to_audio_attn", audio_heads, audio, video, audio)
    yield from _feed_forward("ff", video)
    yield from _feed_forward("audio_ff", audio)
    for prefix, dim in (("", video), ("audio_", audio)):
        yield f"{prefix}scale_shift_table", (9, dim)
        yield f"{prefix}prompt_scale_shift_table", (2, dim)
    yield "scale_shift_table_a2v_ca_video", (5, video)
    yield "scale_shift_table_a2v_ca_audio", (5, audio)


def _connector(c: Config, prefix: str) -> Tensors:
    heads = c[f"{prefix}connector_num_attention_heads"]
    dim = heads * c[f"{prefix}connector_attention_head_dim"]
    yield "learnable_registers", (c["connector_num_learnable_registers"], dim)
    for i in range(c.get(f"{prefix}connector_num_layers", c["connector_num_layers"])):
        yield from _attention(f"transformer_1d_blocks.{i}.attn1", heads, dim, dim, dim)
        yield from _feed_forward(f"transformer_1d_blocks.{i}.ff", dim)


def _projections(c: Config, text_layers: int) -> Tensors:
    text = c["caption_channels"] * text_layers
    yield from _linear("video_aggregate_embed", text, c["cross_attention_dim"])
    yield from _linear("audio_aggregate_embed", text, c["audio_cross_attention_dim"])


STRIDES = {"compress_space": (1, 2, 2), "compress_time": (2, 1, 1), "compress_all": (2, 2, 2)}
CUBE = (3, 3, 3)


def _video_vae(c: Config) -> Tensors:
    latent, pixels = c["latent_channels"], c["in_channels"] * c["patch_size"] ** 2
    yield "per_channel_statistics.mean-of-means", (latent,)
    yield "per_channel_statistics.std-of-means", (latent,)
    yield from _prefixed("encoder.", _video_encoder(c, latent, pixels))
    yield from _prefixed("decoder.", _video_decoder(c, latent, pixels))


def _video_encoder(c: Config, latent: int, pixels: int) -> Tensors:
    width = c.get("encoder_base_channels", 128)
    yield from _conv("conv_in.conv", pixels, width, CUBE)
    for i, (kind, params) in enumerate(c["encoder_blocks"]):
        if kind == "res_x":
            yield from _video_resnets(f"down_blocks.{i}", width, params["num_layers"])
        else:
            outputs = width * params["multiplier"]
            stride = prod(STRIDES[kind.removesuffix("_res")])
            yield from _conv(f"down_blocks.{i}.conv.conv", width, outputs // stride, CUBE)
            width = outputs
    # One log-variance for all channels ("uniform").
    yield from _conv("conv_out.conv", width, latent + 1, CUBE)


def _video_decoder(c: Config, latent: int, pixels: int) -> Tensors:
    blocks = c["decoder_blocks"]
    width = c.get("decoder_base_channels", 128) * prod(p["multiplier"] for kind, p in blocks if kind != "res_x")
    yield from _conv("conv_in.conv", latent, width, CUBE)
    for i, (kind, params) in enumerate(reversed(blocks)):
        if kind == "res_x":
            yield from _video_resnets(f"up_blocks.{i}", width, params["num_layers"])
        else:
            outputs = width // params["multiplier"]
            yield from _conv(f"up_blocks.{i}.conv.conv", width, outputs * prod(STRIDES[kind]), CUBE)
            width = outputs
    yield from _conv("conv_out.conv", width, pixels, CUBE)


def _video_resnets(name: str, width: int, count: int) -> Tensors:
    for i in range(count):
        yield from _conv(f"{name}.res_blocks.{i}.conv1.conv", width, width, CUBE)
        yield from _conv(f"{name}.res_blocks.{i}.conv2.conv", width, width, CUBE)


def _audio_vae(dd: Config) -> Tensors:
    widths = [dd["ch"] * multiplier for multiplier in dd["ch_mult"]]
    yield "per_channel_statistics.mean-of-means", (dd["ch"],)
    yield "per_channel_statistics.std-of-means", (dd["ch"],)
    yield from _prefixed("encoder.", _audio_encoder(dd, widths))
    yield from _prefixed("decoder.", _audio_decoder(dd, widths))


def _audio_encoder(dd: Config, widths: list[int]) -> Tensors:
    yield from _conv("conv_in.conv", dd["in_channels"], dd["ch"], (3, 3))
    for level, (before, width) in enumerate(pairwise([dd["ch"], *widths])):
        for i in range(dd["num_res_blocks"]):
            yield from _audio_resnet(f"down.{level}.block.{i}", width if i else before, width)
        if level < len(widths) - 1:
            yield from _conv(f"down.{level}.downsample.conv", width, width, (3, 3))
    yield from _audio_middle(widths[-1])
    yield from _conv("conv_out.conv", widths[-1], dd["z_channels"] * (2 if dd["double_z"] else 1), (3, 3))


def _audio_decoder(dd: Config, widths: list[int]) -> Tensors:
    yield from _conv("conv_in.conv", dd["z_channels"], widths[-1], (3, 3))
    yield from _audio_middle(widths[-1])
    before = widths[-1]
    for level, width in reversed(list(enumerate(widths))):
        for i in range(dd["num_res_blocks"] + 1):
            yield from _audio_resnet(f"up.{level}.block.{i}", width if i else before, width)
        if level > 0:
            yield from _conv(f"up.{level}.upsample.conv.conv", width, width, (3, 3))
        before = width
    yield from _conv("conv_out.conv", widths[0], dd["out_ch"], (3, 3))


def _audio_middle(width: int) -> Tensors:
    yield from _audio_resnet("mid.block_1", width, width)
    yield from _audio_resnet("mid.block_2", width, width)


def _audio_resnet(name: str, inputs: int, outputs: int) -> Tensors:
    yield from _conv(f"{name}.conv1.conv", inputs, outputs, (3, 3))
    yield from _conv(f"{name}.conv2.conv", outputs, outputs, (3, 3))
    if inputs != outputs:
        yield from _conv(f"{name}.nin_shortcut.conv", inputs, outputs, (1, 1))


def _vocoder(c: Config) -> Tensors:
    bwe = c["bwe"]
    yield from _prefixed("vocoder.", _generator(c["vocoder"], bwe["num_mels"]))
    yield from _prefixed("bwe_generator.", _generator(bwe, bwe["num_mels"]))
    frequencies = bwe["n_fft"] // 2 + 1
    yield "mel_stft.mel_basis", (bwe["num_mels"], frequencies)
    yield "mel_stft.stft_fn.forward_basis", (2 * frequencies, 1, bwe["n_fft"])
    yield "mel_stft.stft_fn.inverse_basis", (2 * frequencies, 1, bwe["n_fft"])


def _generator(c: Config, mel_bins: int) -> Tensors:
    channels, width = 2 if c["stereo"] else 1, c["upsample_initial_channel"]
    yield from _conv("conv_pre", mel_bins * channels, width, (7,))
    kernels = list(zip(c["resblock_kernel_sizes"], c["resblock_dilation_sizes"], strict=True))
    for i, kernel in enumerate(c["upsample_kernel_sizes"]):
        # Transposed: inputs first.
        yield f"ups.{i}.weight", (width, width // 2, kernel)
        yield f"ups.{i}.bias", (width // 2,)
        width //= 2
        for j, (size, dilations) in enumerate(kernels):
            yield from _amp_block(f"resblocks.{i * len(kernels) + j}", width, size, len(dilations))
    yield from _activation("act_post", width)
    yield from _conv("conv_post", width, channels, (7,), bias=c["use_bias_at_final"])


def _amp_block(name: str, width: int, kernel: int, count: int) -> Tensors:
    for i in range(count):
        for half in ("1", "2"):
            yield from _conv(f"{name}.convs{half}.{i}", width, width, (kernel,))
            yield from _activation(f"{name}.acts{half}.{i}", width)


def _activation(name: str, width: int) -> Tensors:
    yield f"{name}.act.alpha", (width,)
    yield f"{name}.act.beta", (width,)
    yield f"{name}.upsample.filter", (1, 1, VOCODER_FILTER_TAPS)
    yield f"{name}.downsample.lowpass.filter", (1, 1, VOCODER_FILTER_TAPS)


def _upsampler_blocks(name: str, width: int, count: int) -> Tensors:
    for i in range(count):
        for half in (1, 2):
            yield from _conv(f"{name}.{i}.conv{half}", width, width, CUBE)
            yield from _affine(f"{name}.{i}.norm{half}", width)
