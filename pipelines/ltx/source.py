"""Encode the clip that another one is made from: the parts of both streams that are kept."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, repeat

import numpy as np
import torch
from torch.nn import functional as F

from pipelines.direction import Continuation, Retake
from pipelines.geometry import (
    AUDIO_LATENTS_PER_SECOND,
    SPATIAL_COMPRESSION,
    LatentGrid,
    audio_latent_length,
    position_fps,
)
from pipelines.ltx.audio_encode import encode_audio
from pipelines.ltx.components import Components
from pipelines.ltx.latents import pack_video
from pipelines.ltx.sampling import Kept
from pipelines.ltx.video_encode import encode_video
from pipelines.media.image_crop import Size
from pipelines.media.sound import Waveform
from pipelines.media.source_video import read_frames, read_source_sound, source_info, to_rgb
from pipelines.spec import GenerationSpec

# The mel spectrogram reflects half a window at each end.
SHORTEST_SOUND_S = Fraction(1, 10)


@dataclass(frozen=True)
class KeptStreams:
    """The kept parts of the video, at the size of each stage, and of the sound."""

    video: Mapping[LatentGrid, Kept] = field(default_factory=dict)
    audio: Kept | None = None


def encode_source(
    components: Components, spec: GenerationSpec, grids: Collection[LatentGrid], on_latent: Callable[[], None]
) -> KeptStreams:
    """Encode what the clip of `spec` keeps of its source, if it has one. Raises VideoError.

    on_latent: called after each latent frame, at each size; may raise to stop.
    """
    match spec.source:
        case Retake() as retake:
            return _encode_retaken(components, spec, retake, grids, on_latent)
        case Continuation() as continuation:
            return _encode_context(components, spec, continuation, grids, on_latent)
    return KeptStreams()


def encoded_latents(spec: GenerationSpec, grids: Collection[LatentGrid]) -> int:
    """Return how many latent frames `encode_source` encodes."""
    match spec.source:
        case Retake():
            return sum(grid.frames for grid in grids)
        case Continuation(context_latents=latents):
            return latents * len(grids)
    return 0


def _encode_retaken(
    components: Components,
    spec: GenerationSpec,
    retake: Retake,
    grids: Collection[LatentGrid],
    on_latent: Callable[[], None],
) -> KeptStreams:
    """Encode all of the clip. What is rendered anew is marked in the masks; its latents there are not used."""
    info = source_info(spec)
    video = {}
    for grid in grids:
        frames = read_frames(retake.path, info, Size(spec.width, spec.height))
        clean = _encode_frames(components, islice(_padded(frames), spec.num_frames), grid, on_latent)
        latents = retake.video_latents(position_fps(spec.frame_rate)) if retake.video else range(0)
        video[grid] = _kept(clean, latents, grid.tokens_per_frame)
    sound = read_source_sound(retake.path, from_zero=True)
    if sound is None:
        return KeptStreams(video)
    length = audio_latent_length(spec)
    clean, _ = encode_audio(_encodable(sound.cut(spec.num_frames / spec.frame_rate)), components.audio_vae)
    # As in the reference: after the sound come latents of zeros.
    clean = F.pad(clean[:, :length], (0, 0, 0, length - min(length, clean.shape[1])))
    return KeptStreams(video, _kept(clean, retake.audio_latents(length) if retake.audio else range(0), 1))


def _encode_context(
    components: Components,
    spec: GenerationSpec,
    continuation: Continuation,
    grids: Collection[LatentGrid],
    on_latent: Callable[[], None],
) -> KeptStreams:
    """Encode the end of the clip; it is the beginning of the rendered one."""
    info, count = source_info(spec), continuation.context_frames
    video = {}
    for grid in grids:
        frames = islice(
            read_frames(continuation.path, info, Size(spec.width, spec.height)), info.num_frames - count, None
        )
        clean = _encode_frames(components, frames, grid, on_latent)
        video[grid] = _kept_beginning(clean, grid.tokens)
    sound = read_source_sound(continuation.path)
    if sound is None:
        return KeptStreams(video)
    tail_s = count / spec.frame_rate
    tail = sound.fitted(info.duration_s).from_s(info.duration_s - tail_s)
    clean, _ = encode_audio(_encodable(tail), components.audio_vae)
    length = round(count / position_fps(spec.frame_rate) * AUDIO_LATENTS_PER_SECOND)
    return KeptStreams(video, _kept_beginning(clean[:, :length], audio_latent_length(spec)))


def _encode_frames(
    components: Components,
    frames: Iterator[np.ndarray],
    grid: LatentGrid,
    on_latent: Callable[[], None],
) -> torch.Tensor:
    """Return packed latents of (H, W, 3) or (3 H / 2, W) frames, scaled to the grid: (1, T, C)."""
    size = (grid.height * SPATIAL_COMPRESSION, grid.width * SPATIAL_COMPRESSION)
    pixels = (_scaled(torch.from_numpy(to_rgb(frame)), size) for frame in frames)
    return pack_video(encode_video(pixels, components.video_vae, components.device, on_latent))


def _scaled(frame: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return (H, W, 3) of 0 .. 255 as (3, *size) in -1 .. 1; bilinear, as images are."""
    pixels = frame.permute(2, 0, 1).unsqueeze(0).float()
    if pixels.shape[-2:] != size:
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    return pixels[0] / 127.5 - 1


def _padded(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the frames, and the last one forever."""
    for frame in frames:
        yield frame
    yield from repeat(frame)


def _encodable(sound: Waveform) -> Waveform:
    return sound.fitted(max(sound.duration_s, SHORTEST_SOUND_S))


def _kept(clean: torch.Tensor, anew: range, tokens_per_latent: int) -> Kept:
    """Keep all of a stream but some of its latents."""
    if not anew:
        return Kept.all(clean)
    mask = torch.zeros_like(clean[..., :1])
    mask[:, anew.start * tokens_per_latent : anew.stop * tokens_per_latent] = 1
    return Kept(clean, mask)


def _kept_beginning(clean: torch.Tensor, tokens: int) -> Kept:
    free = tokens - clean.shape[1]
    mask = F.pad(torch.zeros_like(clean[..., :1]), (0, 0, 0, free), value=1)
    return Kept(F.pad(clean, (0, 0, 0, free)), mask)
