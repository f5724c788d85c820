"""Write frames and a waveform to a file, completely or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import MuxError
from pipelines.media.clip_writer import ClipWriter, translated_errors
from pipelines.media.codecs import CHANNELS, FORMATS, SAMPLE_RATE, X264, Codec, encoder_threads
from pipelines.media.fragments import Fragments
from pipelines.media.image_crop import Size
from pipelines.spec import Container, GenerationSpec


def mux(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    spec: GenerationSpec,
    waveform: NDArray[np.float32] | None,
    h264: Codec = X264,
    threads: int | None = None,
    frame_size: Size | None = None,
    sample_rate: int = SAMPLE_RATE,
    fragments: Fragments | None = None,
) -> None:
    """Write a clip to `path` with the container, size, length and rate of `spec`.

    frames: chunks of any n, (n, H, W, 3) RGB or (n, 3 H / 2, W) yuv420p in limited-range BT.709. The muxer owns a chunk
    from then on: its memory must not be reused.
    waveform: (2, samples) at `sample_rate`, padded or cut to the picture's length; None for a file without sound.
    h264: writes the picture of an mp4.
    threads: `encoder_threads` of the height by default; a different number gives a different file.
    frame_size: that of the frames, if they are to be scaled to the size of `spec`.
    sample_rate: one that the container's codec takes.
    fragments: where the clip is also written while it grows. Whoever names that file removes it, complete or not.

    Raises MuxError if the input differs from `spec` or the file cannot be written, and whatever `frames` raises. `path`
    appears only when the clip is complete.
    """
    _validate_waveform(waveform, sample_rate, spec.container)
    threads = threads or encoder_threads(spec.height)
    with (
        _written_whole(path) as part,
        ClipWriter(part, spec, waveform, sample_rate, h264, threads, fragments) as writer,
    ):
        for chunk in _validated(frames, spec.delivered_frames, frame_size or Size(spec.width, spec.height)):
            writer.write(chunk)
        writer.finish()


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with translated_errors():
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _validated(frames: Iterable[NDArray[np.uint8]], num_frames: int, size: Size) -> Iterator[NDArray[np.uint8]]:
    rgb, yuv = (size.height, size.width, 3), (size.height * 3 // 2, size.width)
    count = 0
    for chunk in frames:
        if chunk.dtype != np.uint8 or chunk.shape[1:] not in (rgb, yuv):
            raise MuxError(
                f"frames must be uint8 of shape (n, {', '.join(map(str, rgb))}) or (n, {', '.join(map(str, yuv))}), "
                f"got {chunk.dtype} {chunk.shape}"
            )
        count += len(chunk)
        if count > num_frames:
            raise MuxError(f"the clip has {num_frames} frames, got more")
        yield chunk
    if count < num_frames:
        raise MuxError(f"the clip has {num_frames} frames, got {count}")


def _validate_waveform(waveform: NDArray[np.float32] | None, sample_rate: int, container: Container) -> None:
    if waveform is None:
        return
    if sample_rate not in FORMATS[container].sample_rates:
        raise MuxError(f"a waveform of {container} must be at one of {FORMATS[container].sample_rates} Hz, "
                       f"got {sample_rate}")  # fmt: skip
    if waveform.dtype != np.float32 or waveform.ndim != 2 or len(waveform) != CHANNELS:
        raise MuxError(f"a waveform must be float32 of shape (2, samples), got {waveform.dtype} {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise MuxError("a waveform must be finite, got NaN or infinity")
