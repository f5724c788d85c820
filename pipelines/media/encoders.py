"""Encode frames and samples to packets."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipelines.media.codecs import CHANNELS, PIXEL_FORMAT, Codec
from pipelines.media.x264 import instruction_options
from pipelines.spec import GenerationSpec

Packets = list[Any]

_TO_YUV: Mapping[str, Any] = {
    "format": PIXEL_FORMAT,
    "src_colorspace": Colorspace.ITU709,
    "dst_colorspace": Colorspace.ITU709,
    "dst_color_range": ColorRange.MPEG,
    "interpolation": (
        Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    ),
}


class YuvConverter:
    """Converts frames of any size to yuv420p in limited-range BT.709 at the clip's size."""

    def __init__(self, width: int, height: int, threads: int) -> None:
        self._reformatter, self._width, self._height, self._threads = VideoReformatter(), width, height, threads

    def convert(self, pixels: NDArray[np.uint8]) -> av.VideoFrame:
        """Convert (H, W, 3) RGB, or (3 H / 2, W) that is yuv420p already and may have to be scaled."""
        if pixels.ndim == 3:
            return self._reformat(av.VideoFrame.from_numpy_buffer(pixels, format="rgb24"), ColorRange.JPEG)
        frame = av.VideoFrame.from_numpy_buffer(pixels, format=PIXEL_FORMAT)
        if (frame.width, frame.height) == (self._width, self._height):
            return frame
        return self._reformat(frame, ColorRange.MPEG)

    def _reformat(self, frame: av.VideoFrame, color_range: ColorRange) -> av.VideoFrame:
        return self._reformatter.reformat(
            frame, self._width, self._height, src_color_range=color_range, threads=self._threads, **_TO_YUV
        )


class VideoEncoder:
    def __init__(self, container: Any, codec: Codec, spec: GenerationSpec, threads: int) -> None:
        cpu_options = instruction_options() if codec.encoder == "libx264" else {}
        self._stream = container.add_stream(
            codec.encoder,
            rate=spec.frame_rate,
            width=spec.width,
            height=spec.height,
            pix_fmt=PIXEL_FORMAT,
            time_base=1 / spec.frame_rate,
            options={**cpu_options, **codec.options, "threads": str(threads)},
        )
        self._frame_duration_s = 1 / spec.frame_rate
        self._converter = YuvConverter(spec.width, spec.height, threads)
        self._num_frames = 0

    @property
    def end_s(self) -> Fraction:
        """The end of the frames so far, in seconds."""
        return self._num_frames * self._frame_duration_s

    def encode(self, pixels: NDArray[np.uint8]) -> Packets:
        """Encode a frame: (H, W, 3) RGB, or (3 H / 2, W) in the encoder's own format."""
        frame = self._converter.convert(np.ascontiguousarray(pixels))
        frame.pts = self._num_frames
        frame.time_base = self._frame_duration_s
        self._num_frames += 1
        return list(self._stream.encode(frame))

    def flush(self) -> Packets:
        return list(self._stream.encode(None))


class AudioEncoder:
    def __init__(self, container: Any, codec: Codec, waveform: NDArray[np.float32], sample_rate: int) -> None:
        """waveform: (2, samples)."""
        self._stream = container.add_stream(
            codec.encoder, rate=sample_rate, layout="stereo", options=dict(codec.options)
        )
        self._waveform, self._sample_rate = waveform, sample_rate
        self._position = 0

    def encode_until(self, end_s: Fraction) -> Packets:
        samples = self._waveform[:, self._position : round(end_s * self._sample_rate)]
        if not samples.size:
            return []
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate = self._sample_rate
        frame.time_base = Fraction(1, self._sample_rate)
        frame.pts = self._position
        self._position += samples.shape[1]
        return list(self._stream.encode(frame))

    def flush(self) -> Packets:
        return list(self._stream.encode(None))


def fit_waveform(waveform: NDArray[np.float32], duration_s: Fraction, sample_rate: int) -> NDArray[np.float32]:
    """Cut the waveform to `duration_s` or pad it with silence, and clip it to -1 .. 1."""
    fitted = np.zeros((CHANNELS, round(duration_s * sample_rate)), np.float32)
    length = min(fitted.shape[1], waveform.shape[1])
    np.clip(waveform[:, :length], -1, 1, out=fitted[:, :length])
    return fitted
