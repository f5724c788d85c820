"""Join what was rendered with the clip that it was made from, whose frames and sound stay as they are."""

from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from pipelines.direction import Continuation, Retake
from pipelines.geometry import audio_latent_length, position_fps
from pipelines.media.codecs import CHANNELS, SAMPLE_RATE
from pipelines.media.image_crop import Size
from pipelines.media.joint import Pair, join
from pipelines.media.sound import Waveform
from pipelines.media.source_video import read_frames, read_source_sound, source_info
from pipelines.spec import GenerationSpec

Frames = Iterator[NDArray[np.uint8]]

# From one sound to the other.
CROSSFADE_S = 0.02


def splice_frames(spec: GenerationSpec, rendered: Frames) -> Frames:
    """Yield the frames of the file, in chunks. rendered: the chunks that were rendered; all of them are read.

    Where only the sound is rendered anew, `rendered` is not read.
    """
    if spec.source is None:
        yield from rendered
        return
    kept = read_frames(spec.source.path, source_info(spec), Size(spec.width, spec.height))
    match spec.source:
        case Retake(video=False):
            frames = kept
        case Retake() as retake:
            frames = _retaken(kept, _single(rendered), retake.frames(position_fps(spec.frame_rate)))
        case Continuation() as continuation:
            frames = _continued(kept, _single(rendered), continuation, spec.num_frames)
    yield from (frame[None] for frame in frames)


def _retaken(kept: Frames, rendered: Frames, anew: range) -> Frames:
    yield from join(map(Pair, kept, rendered), anew)
    # Those after the end of the clip; the last one ends the check of the picture.
    for _ in rendered:
        pass


def _continued(kept: Frames, rendered: Frames, continuation: Continuation, num_frames: int) -> Frames:
    context = continuation.context_frames
    yield from islice(kept, continuation.clip_frames - context)
    pairs = (Pair(*pair) for pair in zip_longest(kept, rendered))
    yield from join(pairs, range(context, num_frames))


def splice_sound(spec: GenerationSpec, rendered: Waveform | None) -> Waveform | None:
    """Return the sound of the file, stereo, or None. rendered: likewise, at 48 kHz; None if it was not made."""
    if spec.source is None or not spec.generate_audio:
        return rendered
    track = read_source_sound(spec.source.path)
    if track is None and isinstance(spec.source, Retake):
        return rendered
    sound = np.zeros((CHANNELS, round(spec.duration_s * SAMPLE_RATE)), np.float32)
    if track is not None:
        kept = track.resampled(SAMPLE_RATE).fitted(spec.source.clip_frames / spec.frame_rate).samples
        sound[:, : kept.shape[1]] = kept
    if rendered is not None:
        _lay_rendered(sound, rendered.samples, spec)
    return Waveform(sound, SAMPLE_RATE)


def _lay_rendered(sound: NDArray[np.float32], rendered: NDArray[np.float32], spec: GenerationSpec) -> None:
    match spec.source:
        case Retake() as retake:
            start, end = (round(time_s * SAMPLE_RATE) for time_s in retake.sound_s(audio_latent_length(spec)))
            _lay(sound, rendered[:, start:end], start, fades_out=end < sound.shape[1])
        case Continuation(clip_frames=clip_frames, context_frames=context_frames):
            offset = round((clip_frames - context_frames) / spec.frame_rate * SAMPLE_RATE)
            joint = round(clip_frames / spec.frame_rate * SAMPLE_RATE)
            start = max(joint - round(CROSSFADE_S * SAMPLE_RATE), offset)
            _lay(sound, rendered[:, start - offset :], start, fades_out=False)


def _lay(sound: NDArray[np.float32], part: NDArray[np.float32], start: int, fades_out: bool) -> None:
    """Lay a part over a sound, from `start` on, with a crossfade where the sound goes on."""
    part = part[:, : sound.shape[1] - start]
    end = start + part.shape[1]
    share = np.ones(part.shape[1], np.float32)
    length = min(round(CROSSFADE_S * SAMPLE_RATE), part.shape[1] // 2)
    ramp = (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1)
    if start > 0:
        share[:length] = ramp
    if fades_out:
        share[len(share) - length :] = ramp[::-1]
    sound[:, start:end] = share * part + (1 - share) * sound[:, start:end]


def _single(chunks: Iterable[NDArray[np.uint8]]) -> Frames:
    for chunk in chunks:
        yield from chunk
