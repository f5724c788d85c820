"""Encode a waveform to the latent that conditions a clip: mel spectrogram, then the audio VAE's encoder.

Reference: Lightricks/LTX-2, ltx_core's AudioProcessor, which uses torchaudio's resampler and mel spectrogram.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipelines.direction import Sound
from pipelines.geometry import audio_latent_length
from pipelines.ltx.latents import normalize_audio, pack_audio, unpack_audio
from pipelines.ltx.resample import resample
from pipelines.ltx.sampling import Kept
from pipelines.ltx.trace import Trace
from pipelines.media.sound import Waveform, read_sound
from pipelines.spec import GenerationSpec

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio

SAMPLE_RATE = 16_000
WINDOW, HOP = 1024, 160
MEL_BINS, MAX_HZ = 64, SAMPLE_RATE / 2
# The logarithm of silence.
QUIETEST = 1e-5

# Slaney's mel scale: linear up to 1 kHz, 15 mels there, and 27 steps from there to 6.4 times as much.
HZ_PER_MEL, LINEAR_HZ = 200 / 3, 1000.0
LINEAR_MELS, LOG_STEP = LINEAR_HZ / HZ_PER_MEL, math.log(6.4) / 27


@dataclass(frozen=True)
class GivenSound:
    """The sound of a clip that was given: its track, and the latent that every stage keeps."""

    waveform: Waveform
    kept: Kept


def encode_sound(sound: Sound, spec: GenerationSpec, vae: "AutoencoderKLLTX2Audio", trace: Trace) -> GivenSound:
    """Read the part of a sound that the clip needs, and encode it. Raises SoundError."""
    rendered_s = spec.num_frames / spec.frame_rate
    waveform = read_sound(sound.path, sound.exact_start_s, rendered_s).fitted(rendered_s)
    latent, mel = encode_audio(waveform, vae)
    trace.tensors(audio_mel=mel, audio_latent_uncut=unpack_audio(latent))
    return GivenSound(waveform, Kept.all(latent[:, : audio_latent_length(spec)]))


def encode_audio(waveform: Waveform, vae: "AutoencoderKLLTX2Audio") -> tuple[torch.Tensor, torch.Tensor]:
    """Return the normalised packed latent of a stereo sound, (1, T, C) float32 on the VAE's device, and its mel.

    Four mel frames make a latent, rounded up: usually one more than the clip needs.
    """
    mel = log_mel(torch.from_numpy(np.ascontiguousarray(waveform.samples)), waveform.sample_rate)
    latent = vae.encode(mel.to(vae.device, vae.dtype)).latent_dist.mode()
    return normalize_audio(pack_audio(latent.float()), vae), mel


def log_mel(samples: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Return the logarithmic mel spectrogram of (2, n) samples: (1, 2, T, 64), a frame every 10 ms."""
    samples = resample(samples, sample_rate, SAMPLE_RATE)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, center=True, pad_mode="reflect", return_complex=True)
    mel = spectrum.abs().transpose(1, 2) @ mel_filters()
    return mel.clamp(min=QUIETEST).log().unsqueeze(0)


def mel_filters() -> torch.Tensor:
    """Return the triangles over the frequencies, (513, 64), each of the same area."""
    frequencies = torch.linspace(0, MAX_HZ, WINDOW // 2 + 1)
    corners = _mel_to_hz(torch.linspace(0, _hz_to_mel(MAX_HZ), MEL_BINS + 2))
    widths = corners.diff()
    slopes = corners[None] - frequencies[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0) * (2 / (corners[2:] - corners[:-2]))


def _hz_to_mel(hz: float) -> float:
    return LINEAR_MELS + math.log(hz / LINEAR_HZ) / LOG_STEP


def _mel_to_hz(mels: torch.Tensor) -> torch.Tensor:
    return torch.where(mels < LINEAR_MELS, mels * HZ_PER_MEL, LINEAR_HZ * torch.exp((mels - LINEAR_MELS) * LOG_STEP))
