"""Join what was rendered with the clip that it was made from, whose frames and sound stay as they are."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.direction import Continuation, Retake
from pipelines.geometry import audio_latent_length, position_fps
from pipelines.media.codecs import CHANNELS, SAMPLE_RATE
from pipelines.media.image_crop import Size
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
    match spec.source:
        case Retake(path=path) as retake:
            kept = read_frames(path, source_info(spec), Size(spec.width, spec.height))
            if not retake.video:
                yield from (frame[None] for frame in kept)
                return
            anew = retake.frames(position_fps(spec.frame_rate))
            single = _single(rendered)
            for index, (frame, made) in enumerate(zip(kept, single, strict=False)):
                yield (made if index in anew else frame)[None]
            for _ in single:
                pass
        case Continuation(path=path, context_frames=context_frames):
            for frame in read_frames(path, source_info(spec), Size(spec.width, spec.height)):
                yield frame[None]
            yield from _without_first(rendered, context_frames)
        case None:
            yield from rendered


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


def _without_first(chunks: Frames, count: int) -> Frames:
    for chunk in chunks:
        if len(chunk) > count:
            yield chunk[count:]
        count = max(count - len(chunk), 0)
