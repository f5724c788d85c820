"""Frames and a waveform in, one file out: whole, or not there at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.errors import MuxError
from pipelines.media.codecs import CHANNELS, ENCODER_THREADS, FORMATS
from pipelines.media.encoders import AudioEncoder, Packets, VideoEncoder, fit_waveform
from pipelines.media.overlap import consume_in_thread
from pipelines.spec import GenerationSpec


def mux(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    spec: GenerationSpec,
    waveform: NDArray[np.float32] | None,
    threads: int = ENCODER_THREADS,
) -> None:
    """Write a clip to `path`; its container, size, length and rate are `spec`'s.

    frames: chunks (n, H, W, 3) RGB of any n, taken one by one in the calling thread while another encodes.
    A chunk belongs to the muxer from then on: its memory must not be reused.
    waveform: (2, samples) at 48 kHz, padded or cut to the picture's length; None for a file without sound.
    threads: another number gives another file.

    Raises MuxError when the input is not what `spec` says or the file cannot be written, and whatever
    `frames` raises. `path` appears only when the clip is complete.
    """
    _validate_waveform(waveform)
    with _written_whole(path) as part, _ClipWriter(part, spec, waveform, threads) as writer:
        consume_in_thread(_validated(frames, spec), writer.write)
        writer.finish()


class _ClipWriter:
    def __init__(self, path: Path, spec: GenerationSpec, waveform: NDArray[np.float32] | None, threads: int) -> None:
        clip_format = FORMATS[spec.container]
        with _translated_errors():
            self._container = av.open(
                os.fspath(path.absolute()), "w", format=spec.container.value, container_options=clip_format.options
            )
            self._video = VideoEncoder(self._container, clip_format.video, spec, threads)
            self._audio = None
            if waveform is not None:
                fitted = fit_waveform(waveform, spec.duration_s)
                self._audio = AudioEncoder(self._container, clip_format.audio, fitted)
            # Writes the header, so that a folder that cannot be written to fails before the first frame is made.
            self._container.start_encoding()

    def write(self, chunk: NDArray[np.uint8]) -> None:  # (n, H, W, 3)
        with _translated_errors():
            for rgb in chunk:
                self._mux(self._video.encode(rgb))
                if self._audio is not None:
                    self._mux(self._audio.encode_until(self._video.end_s))

    def finish(self) -> None:
        with _translated_errors():
            self._mux(self._video.flush())
            if self._audio is not None:
                self._mux(self._audio.flush())
            self._container.close()

    def _mux(self, packets: Packets) -> None:
        self._container.mux(packets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closes the file of a clip that failed; a second close after `finish` does nothing.
        with suppress(av.FFmpegError, OSError):
            self._container.close()


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with _translated_errors():
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as exc:
        raise MuxError(f"the clip cannot be written: {exc.strerror}") from exc
    except OverflowError as exc:
        raise MuxError("the clip cannot be written: the terms of its frame rate exceed 31 bits") from exc


def _validated(frames: Iterable[NDArray[np.uint8]], spec: GenerationSpec) -> Iterator[NDArray[np.uint8]]:
    count = 0
    for chunk in frames:
        if chunk.dtype != np.uint8 or chunk.ndim != 4 or chunk.shape[1:] != (spec.height, spec.width, 3):
            raise MuxError(
                f"frames must be uint8 of shape (n, {spec.height}, {spec.width}, 3), got {chunk.dtype} {chunk.shape}"
            )
        count += len(chunk)
        if count > spec.num_frames:
            raise MuxError(f"the clip has {spec.num_frames} frames, got more")
        yield chunk
    if count < spec.num_frames:
        raise MuxError(f"the clip has {spec.num_frames} frames, got {count}")


def _validate_waveform(waveform: NDArray[np.float32] | None) -> None:
    if waveform is None:
        return
    if waveform.dtype != np.float32 or waveform.ndim != 2 or len(waveform) != CHANNELS:
        raise MuxError(f"a waveform must be float32 of shape (2, samples), got {waveform.dtype} {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise MuxError("a waveform must be finite, got NaN or infinity")
