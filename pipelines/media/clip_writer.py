"""Write one file: its container, its encoders, and their errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.errors import MuxError
from pipelines.media.codecs import FORMATS, Codec
from pipelines.media.encoders import AudioEncoder, Packets, VideoEncoder, fit_waveform
from pipelines.media.fragments import Fragments, FragmentWriter
from pipelines.media.metadata import describe_clip
from pipelines.spec import Container, GenerationSpec


class ClipWriter:
    def __init__(
        self,
        path: Path,
        spec: GenerationSpec,
        waveform: NDArray[np.float32] | None,
        sample_rate: int,
        h264: Codec,
        threads: int,
        fragments: Fragments | None = None,
    ) -> None:
        clip_format = FORMATS[spec.container]
        video = h264 if spec.container is Container.MP4 else clip_format.video
        with translated_errors():
            self._container = av.open(
                os.fspath(path.absolute()), "w", format=spec.container.value, container_options=clip_format.options
            )
            self._video = VideoEncoder(self._container, video, spec, threads)
            self._audio = None
            if waveform is not None:
                fitted = fit_waveform(waveform, spec.duration_s, sample_rate)
                self._audio = AudioEncoder(self._container, clip_format.audio, fitted, sample_rate)
            if spec.embed_metadata:
                self._container.metadata.update(describe_clip(spec))
            # Writes the header, so that a folder that cannot be written to fails before the first frame is made.
            self._container.start_encoding()
            self._fragments = None
            if fragments is not None:
                self._fragments = FragmentWriter(self._container, spec.container, fragments)

    def write(self, chunk: NDArray[np.uint8]) -> None:  # (n, H, W, 3) or (n, 3 H / 2, W)
        with translated_errors():
            for frame in chunk:
                self._mux(self._video.encode(frame))
                if self._audio is not None:
                    self._mux(self._audio.encode_until(self._video.end_s))

    def finish(self) -> None:
        with translated_errors():
            self._mux(self._video.flush())
            if self._audio is not None:
                self._mux(self._audio.flush())
            if self._fragments is not None:
                self._fragments.close()
            self._container.close()

    def _mux(self, packets: Packets) -> None:
        self._container.mux(packets)
        if self._fragments is not None:
            self._fragments.write(packets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closes the files of a clip that failed; a second close after `finish` does nothing.
        with suppress(av.FFmpegError, OSError):
            self._container.close()
        if self._fragments is not None:
            with suppress(av.FFmpegError, OSError):
                self._fragments.close()


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as exc:
        raise MuxError(f"the clip cannot be written: {exc.strerror}") from exc
    except OverflowError as exc:
        raise MuxError("the clip cannot be written: the terms of its frame rate exceed 31 bits") from exc
