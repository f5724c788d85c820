"""Render a specification to a file: generate, mux, verify. Server, command and benchmarks share this path."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.ltx.trace import Trace
from pipelines.media.muxer import mux
from pipelines.media.probe import ClipInfo, verify_clip
from pipelines.spec import GenerationSpec

if TYPE_CHECKING:
    import torch

    from pipelines.ltx.components import Components

# Server-Timing's name for each stage of the pipeline.
TIMING_BY_STAGE = {
    "encode": "encode",
    "stage_1": "denoise",
    "upsample": "denoise",
    "stage_2": "denoise",
    "decode": "decode",
}


def render(
    components: "Components", spec: GenerationSpec, path: Path, trace: Trace
) -> tuple[ClipInfo, dict[str, float]]:
    """Write the clip of `spec` to `path`; return what it holds and the seconds of encode, denoise, decode and mux.

    Raises PipelineError, in which case `path` does not exist.
    """
    from pipelines.ltx.pipeline import generate

    timed = TimedTrace(trace, lambda: synchronize(components.device))
    clip = generate(components, spec, timed)
    mux(path, timed.frames(clip.frames), spec, clip.waveform)
    timed.stage("mux", steps=1)
    try:
        info = verify_clip(path, spec)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return info, timed.finish()


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
        self._account(TIMING_BY_STAGE.get(name, name))
        if name in TIMING_BY_STAGE:
            self._inner.stage(name, steps)

    def step(self, count: int = 1) -> None:
        self._inner.step(count)

    def tensors(self, **tensors: "torch.Tensor") -> None:
        self._inner.tensors(**tensors)

    def frames(self, chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the chunks of frames. Decoding runs on demand, so the time between two chunks is the muxer's."""
        for chunk in chunks:
            self._account("mux")
            yield chunk
            self._account("decode")

    def finish(self) -> dict[str, float]:
        self._account(None)
        return self._timings

    def _account(self, name: str | None) -> None:
        self._synchronize()
        now = time.perf_counter()
        if self._name is not None:
            self._timings[self._name] += now - self._since
        self._name, self._since = name, now
