"""The audio VAE and the vocoder: 32 tones, computed exactly, and the loudness of a given sound.

A latent holds the loudness of each tone: channel 0 of its 16 mel bins those of the first 16, channel 1 the others. The
decoder scales it up to a mel spectrogram, where a tone fills four bins. The vocoder multiplies each loudness with its
tone's waveform: all tones are multiples of 100 Hz, and a mel frame lasts 10 ms, so every frame holds whole periods.

The encoder writes how loud a sound is in 16 bands into channel 2, which the decoder does not use: 0 is silence, 1 about
full scale.
"""

import math

import torch

from weights.tiny_config import CHECKPOINT_CONFIG

SAMPLE_RATE, FRAME_SAMPLES = 16000, 160
TONES_HZ = (
    *range(100, 1100, 100),
    *(1200, 1300, 1400, 1500, 1600, 1800, 2000, 2200, 2400, 2600, 2800, 3000),
    *(3200, 3400, 3600, 3800, 4000, 4400, 4800, 5200, 5600, 6000),
)
BINS = 16
LOUDNESS = 0.25  # the peak of a tone at full loudness
LATENT_SCALE = 2.0  # the latent of a tone at full loudness
LOUDNESS_CHANNEL = 2

# Channels of the VAE's decoder: the latent, its opposite, and a constant that keeps the norm's result linear.
LATENT_CHANNELS = CHECKPOINT_CONFIG["audio_vae"]["model"]["params"]["ddconfig"]["z_channels"]
CONSTANT_CHANNEL, CONSTANT = 2 * LATENT_CHANNELS, 256.0
WIDTH = CHECKPOINT_CONFIG["audio_vae"]["model"]["params"]["ddconfig"]["ch"]

# The time axis of an audio convolution is causal: the last row is the frame itself.
NOW, HERE = 2, 1

# Of a mel spectrogram: the logarithm of silence, and how far above it full scale is.
SILENCE, SPAN = math.log(1e-5), 14.0

MEL_BINS, SMOOTHING = 64, (1, 2, 3, 4, 3, 2, 1)
ALPHA = -4.0  # the logarithm of SnakeBeta's frequency: next to the identity


def set_audio_vae(tensors: dict[str, torch.Tensor]) -> None:
    """Set all of the audio VAE, by published names."""
    prefix = "audio_vae."
    for name, tensor in tensors.items():
        if name.startswith((f"{prefix}decoder.", f"{prefix}encoder.")):
            tensor.zero_()
    _set_encoder(tensors, f"{prefix}encoder.")
    tensors[f"{prefix}per_channel_statistics.mean-of-means"].zero_()
    tensors[f"{prefix}per_channel_statistics.std-of-means"].fill_(1)

    latent = torch.arange(LATENT_CHANNELS)
    first = tensors[f"{prefix}decoder.conv_in.conv.weight"]
    first[latent, latent, NOW, HERE] = 1
    first[LATENT_CHANNELS + latent, latent, NOW, HERE] = -1
    tensors[f"{prefix}decoder.conv_in.conv.bias"][CONSTANT_CHANNEL] = CONSTANT

    used = torch.arange(CONSTANT_CHANNEL + 1)
    for name, tensor in tensors.items():
        if name.startswith(f"{prefix}decoder.up.") and name.endswith("upsample.conv.conv.weight"):
            tensor[used, used, NOW, HERE] = 1

    # SiLU(x) - SiLU(-x) is x.
    last, gain = tensors[f"{prefix}decoder.conv_out.conv.weight"], CONSTANT / math.sqrt(WIDTH) / LATENT_SCALE
    for side in range(2):
        last[side, side, NOW, HERE] = gain
        last[side, LATENT_CHANNELS + side, NOW, HERE] = -gain


def _set_encoder(tensors: dict[str, torch.Tensor], prefix: str) -> None:
    """Average the logarithm of both ears over the bins of a band and the frames of a latent."""
    loud, quiet, constant = 0, 1, 2
    first, bias = tensors[f"{prefix}conv_in.conv.weight"], tensors[f"{prefix}conv_in.conv.bias"]
    for channel, sign in ((loud, 1), (quiet, -1)):
        first[channel, :, NOW, HERE] = sign / (2 * SPAN)
        bias[channel] = -sign * SILENCE / SPAN
    bias[constant] = CONSTANT

    for name, tensor in tensors.items():
        if name.startswith(f"{prefix}down.") and name.endswith("downsample.conv.weight"):
            for channel in (loud, quiet, constant):
                # Of three rows in time the last two, of three bins the first two. Where a row is missing, the constant
                # is smaller too, and the norm makes up for it.
                tensor[channel, channel, 1:, :2] = 1 / 4

    # SiLU(x) - SiLU(-x) is x.
    last = tensors[f"{prefix}conv_out.conv.weight"]
    last[LOUDNESS_CHANNEL, loud, NOW, HERE] = CONSTANT / math.sqrt(WIDTH)
    last[LOUDNESS_CHANNEL, quiet, NOW, HERE] = -CONSTANT / math.sqrt(WIDTH)


def set_vocoder(tensors: dict[str, torch.Tensor]) -> None:
    """Set the vocoder; its extension to higher frequencies adds nothing."""
    prefix = "vocoder.vocoder."
    for name, tensor in tensors.items():
        if name.startswith(prefix) and name.endswith((".weight", ".bias")):
            tensor.zero_()
        elif name.startswith("vocoder.") and name.endswith(".act.alpha"):
            tensor.fill_(ALPHA)
        elif name.startswith("vocoder.") and name.endswith(".act.beta"):
            tensor.zero_()
    tensors["vocoder.bwe_generator.conv_post.weight"].zero_()

    # Channels of both ears are in halves; each has the loudness of every tone.
    spread = tensors[f"{prefix}conv_pre.weight"]
    ear = len(spread) // 2
    smoothing = torch.tensor(SMOOTHING) / sum(SMOOTHING)
    for tone in range(len(TONES_HZ)):
        side, tone_bin = divmod(tone, BINS)
        rows = MEL_BINS // BINS
        for mel_bin in range(side * MEL_BINS + tone_bin * rows, side * MEL_BINS + (tone_bin + 1) * rows):
            spread[tone, mel_bin] = spread[ear + tone, mel_bin] = smoothing / rows
    _set_synthesis(tensors, prefix)


def _set_synthesis(tensors: dict[str, torch.Tensor], prefix: str) -> None:
    """Write each tone's samples of one frame into the channels of the first upsampler; the others put them in order."""
    config = CHECKPOINT_CONFIG["vocoder"]["vocoder"]
    rates, kernels = config["upsample_rates"], config["upsample_kernel_sizes"]
    samples = torch.arange(FRAME_SAMPLES) / SAMPLE_RATE
    waves = LOUDNESS * torch.sin(2 * math.pi * torch.tensor(TONES_HZ)[:, None] * samples)
    parts = FRAME_SAMPLES // rates[0]
    first, margin = tensors[f"{prefix}ups.0.weight"], (kernels[0] - rates[0]) // 2
    ear = len(first) // 2
    for part in range(rates[0]):
        piece = waves[:, part * parts : (part + 1) * parts]
        for side in range(2):
            first[side * ear : side * ear + len(waves), side * parts : (side + 1) * parts, margin + part] = piece
    for level, (rate, kernel) in enumerate(zip(rates[1:], kernels[1:], strict=True), start=1):
        weight, margin = tensors[f"{prefix}ups.{level}.weight"], (kernel - rate) // 2
        before, parts = parts, parts // rate
        order = torch.arange(parts)
        for side in range(2):
            for part in range(rate):
                weight[side * before + part * parts + order, side * parts + order, margin + part] = 1
    last = tensors[f"{prefix}conv_post.weight"]
    last[0, 0, last.shape[-1] // 2] = last[1, 1, last.shape[-1] // 2] = 1
