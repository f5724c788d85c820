"""Render a specification to a file: generate, mux, verify. Server, command and benchmarks share this path."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import OutOfMemory
from pipelines.finishing import Finishing
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import FORMATS, SAMPLE_RATE, X264, Codec
from pipelines.media.fragments import Fragments
from pipelines.media.frame_queue import FrameQueue, FramesUnread
from pipelines.media.image_crop import Size
from pipelines.media.muxer import mux
from pipelines.media.probe import ClipInfo, verify_clip
from pipelines.memory import MAX_QUEUED_BYTES, ClipSize
from pipelines.spec import GenerationSpec

if TYPE_CHECKING:
    import torch

    from pipelines.ltx.components import Components
    from pipelines.ltx.conditioning import Picture

# Signs the file of a clip.
Sign = Callable[[Path, GenerationSpec], None]

# Server-Timing's name for each stage of the pipeline.
TIMING_BY_STAGE = {
    "encode": "encode",
    "stage_1": "denoise",
    "upsample": "denoise",
    "stage_2": "denoise",
    "decode": "decode",
}


def render(
    components: "Components", spec: GenerationSpec, path: Path, trace: Trace, h264: Codec = X264
) -> tuple[ClipInfo, dict[str, float]]:
    """Write the clip of `spec` to `path`; return what it holds and the seconds of encode, denoise, decode and mux.

    Raises PipelineError, in which case `path` does not exist.
    """
    with Finishing() as finishing:
        return start_render(components, spec, path, trace, finishing, h264=h264).result()


def start_render(
    components: "Components",
    spec: GenerationSpec,
    path: Path,
    trace: Trace,
    finishing: Finishing,
    pictures: "Sequence[Picture] | None" = None,
    h264: Codec = X264,
    fast: bool = False,
    fragments: Fragments | None = None,
    sign: Sign | None = None,
) -> Future[tuple[ClipInfo, dict[str, float]]]:
    """Render a clip as `render` does; return when the device is free for the next one.

    `finishing` writes the frames while later ones are decoded, and then verifies the file. An error on either side ends
    both; it is raised here, or by the future once the last frame is decoded.
    pictures: as for `generate`. h264, fragments: as for `mux`. fast: render as `pipelines.fast` says.
    """
    from pipelines.fast import fast_components, fast_spec, prepare_fast_pictures
    from pipelines.ltx.pipeline import generate
    from pipelines.ltx.resample import fit_rate

    timed = TimedTrace(trace, lambda: synchronize(components.device))
    rendered = spec
    if fast:
        rendered, components = fast_spec(spec), fast_components(components)
        if pictures is None:
            timed.account("encode")
            pictures = prepare_fast_pictures(spec)
    clip = generate(components, rendered, timed, pictures)
    frames = FrameQueue(MAX_QUEUED_BYTES)
    timed.account("mux")
    frame_size = Size(rendered.width, rendered.height)
    track = None if clip.waveform is None else fit_rate(clip.waveform, FORMATS[spec.container].sample_rates)
    samples, rate = (None, SAMPLE_RATE) if track is None else (track.samples, track.sample_rate)

    def write(chunks: Iterable[np.ndarray]) -> None:
        mux(path, chunks, spec, samples, h264, frame_size=frame_size, sample_rate=rate, fragments=fragments)

    finished = finishing.start(lambda: _finish(path, spec, frames, timed, write, sign))
    timed.account("decode")
    try:
        for chunk in timed.frames(clip.frames):
            frames.put(chunk)
        timed.account("mux")
        frames.complete()
    except FramesUnread:
        finished.result()
        raise
    except BaseException:
        frames.abort()
        wait([finished])
        raise
    return finished


def _finish(
    path: Path,
    spec: GenerationSpec,
    frames: FrameQueue,
    timed: "TimedTrace",
    write: Callable[[Iterable[np.ndarray]], None],
    sign: Sign | None,
) -> tuple[ClipInfo, dict[str, float]]:
    try:
        write(timed.written(frames))
        info = _verified(path, spec, sign)
    except MemoryError as exc:
        raise OutOfMemory.of(ClipSize.of(spec)) from exc
    finally:
        frames.leave()
    return info, timed.finish()


def _verified(path: Path, spec: GenerationSpec, sign: Sign | None) -> ClipInfo:
    try:
        if sign is not None:
            sign(path, spec)
        return verify_clip(path, spec)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def synchronize(device: "torch.device") -> None:
    """Wait for the GPU at the border of two stages, so that each stage gets its own time."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


class TimedTrace(Trace):
    """Pass everything on to another trace and measure the seconds of each stage."""

    def __init__(self, inner: Trace, synchronize: Callable[[], None]) -> None:
        self._inner, self._synchronize = inner, synchronize
        self._timings = dict.fromkeys(["encode", "denoise", "decode", "mux"], 0.0)
        self._name: str | None = None
        self._since = time.perf_counter()

    def stage(self, name: str, steps: int) -> None:
        self.account(TIMING_BY_STAGE[name])
        self._inner.stage(name, steps)

    def step(self, count: int = 1) -> None:
        self._inner.step(count)

    def estimate(self, latent: "torch.Tensor") -> None:
        self._inner.estimate(latent)

    def tensors(self, **tensors: "torch.Tensor") -> None:
        self._inner.tensors(**tensors)

    def writing(self, count: int) -> None:
        self._inner.writing(count)

    def frames(self, chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the chunks as they are decoded. The time until the next one is asked for is the muxer's.

        A GPU decodes on meanwhile, so it is not waited for.
        """
        for chunk in chunks:
            self._begin("mux")
            yield chunk
            self._begin("decode")

    def written(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the chunks in the thread that writes them."""
        for chunk in chunks:
            self.writing(len(chunk))
            yield chunk

    def account(self, name: str) -> None:
        """Begin the time of this part: encode, denoise, decode or mux."""
        self._synchronize()
        self._begin(name)

    def finish(self) -> dict[str, float]:
        """Return the seconds of each part. May be called from any thread: the device works for another clip by then."""
        self._begin(None)
        return self._timings

    def _begin(self, name: str | None) -> None:
        now = time.perf_counter()
        if self._name is not None:
            self._timings[self._name] += now - self._since
        self._name, self._since = name, now
