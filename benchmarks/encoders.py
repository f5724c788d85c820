"""Compare settings of the H.264 encoder on a film: `python -m benchmarks.encoders FILM [--size WxH] [--frames N]`.

Each setting writes the film's first frames, scaled and cropped to the size, as a clip without sound, in turn with the
others. Prints a table of the clip's rate, VMAF and SSIM against the same frames as the encoder got them, and the CPU
seconds of all threads with the conversion to YUV. VMAF needs an ffmpeg with libvmaf, such as that of the package
imageio-ffmpeg: --ffmpeg PATH; without one its column is empty.
"""

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from pipelines.media.codecs import X264, Codec, nvenc
from pipelines.media.muxer import mux
from pipelines.media.probe import verify_clip
from pipelines.spec import GenerationSpec

Frames = NDArray[np.uint8]  # (n, H, W, 3)

# The row that the others are compared with.
TODAY = ",".join(f"{name}={X264.options[name]}" for name in ("preset", "crf"))
GRID = [f"preset={preset},crf={crf}" for preset in ("veryfast", "faster", "fast", "medium") for crf in range(17, 23)]

# Writes the frames as any encoder gets them: converted to YUV.
LOSSLESS = replace(X264, options={**X264.options, "preset": "ultrafast", "crf": "0"})


@dataclass
class Candidate:
    """One setting and what was measured of it."""

    name: str
    codec: Codec
    size_bytes: int = 0
    ssim: float = 0.0
    vmaf: float | None = None
    cpu_s: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--size", default="768x512", metavar="WxH", help="multiples of 64 (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=121, metavar="N", help="8k + 1 (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="encodes of each setting (default: 3)")
    options: dict[str, Any] = {"nargs": "*", "metavar": "NAME=VALUE,..."}
    parser.add_argument("--settings", default=GRID, help="options of x264 (default: a grid)", **options)
    parser.add_argument("--nvenc", default=[], help="options of NVENC to compare with, such as cq=21", **options)
    parser.add_argument("--ffmpeg", default="ffmpeg", metavar="PATH", help="an ffmpeg with libvmaf")
    args = parser.parse_args()
    width, height = (int(side) for side in args.size.split("x"))
    frames, rate = read_film(args.film, width, height, args.frames)
    spec = GenerationSpec(args.film.name, 0, width, height, args.frames, rate, generate_audio=False)
    x264 = [with_options(X264, text) for text in dict.fromkeys([TODAY, *args.settings])]
    candidates = x264 + [with_options(nvenc(None), text) for text in args.nvenc]
    with tempfile.TemporaryDirectory() as folder:
        measure(candidates, frames, spec, Path(folder), args.rounds, args.ffmpeg)
    print(f"{args.film.name}, {width}x{height}, {len(frames)} frames, {rate} fps")
    print("\n".join(table(candidates, spec)))


def with_options(codec: Codec, text: str) -> Candidate:
    options = dict(pair.split("=", 1) for pair in text.split(","))
    return Candidate(text, replace(codec, options={**codec.options, **options}))


def read_film(path: Path, width: int, height: int, count: int) -> tuple[Frames, Fraction]:
    """Return the first frames, scaled to cover the size and cropped to its middle, and the film's rate."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        scale = max(width / stream.width, height / stream.height)
        full = {"width": round(stream.width * scale), "height": round(stream.height * scale)}
        left, top = (full["width"] - width) // 2, (full["height"] - height) // 2
        frames: list[Any] = []
        for frame in source.decode(stream):
            scaled = frame.to_ndarray(format="rgb24", interpolation=Interpolation.LANCZOS, **full)
            frames.append(scaled[top : top + height, left : left + width])
            if len(frames) == count:
                assert stream.average_rate is not None
                return np.stack(frames), stream.average_rate
    raise SystemExit(f"{path}: has {len(frames)} frames, --frames asks for {count}")


def measure(
    candidates: Sequence[Candidate], frames: Frames, spec: GenerationSpec, folder: Path, rounds: int, ffmpeg: str
) -> None:
    reference = folder / "reference.mp4"
    mux(reference, [frames], spec, None, LOSSLESS)
    has_vmaf = can_measure_vmaf(ffmpeg)
    for number in range(rounds):
        for candidate in candidates:
            clip = folder / "clip.mp4"
            before_s = cpu_s()
            mux(clip, [frames[i : i + 8] for i in range(0, len(frames), 8)], spec, None, candidate.codec)
            candidate.cpu_s.append(cpu_s() - before_s)
            if number == 0:
                verify_clip(clip, spec)
                candidate.size_bytes = clip.stat().st_size
                candidate.ssim = mean_ssim(clip, reference)
                candidate.vmaf = mean_vmaf(clip, reference, ffmpeg) if has_vmaf else None


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def mean_ssim(clip: Path, reference: Path) -> float:
    """Return the mean SSIM of luma."""
    with av.open(str(clip)) as ours, av.open(str(reference)) as theirs:
        streams = ours.streams.video[0], theirs.streams.video[0]
        graph = av.filter.Graph()
        sources = [graph.add_buffer(template=stream) for stream in streams]
        ssim, sink = graph.add("ssim"), graph.add("buffersink")
        for i, source in enumerate(sources):
            source.link_to(ssim, 0, i)
        ssim.link_to(sink)
        graph.configure()
        pairs = zip(ours.decode(streams[0]), theirs.decode(streams[1]), strict=True)
        measured = filtered(graph, sources, sink, pairs)
        return statistics.fmean(float(str(frame.metadata["lavfi.ssim.Y"])) for frame in measured)


def filtered(graph: Any, sources: Sequence[Any], sink: Any, pairs: Iterator[tuple[Any, Any]]) -> Iterator[Any]:
    for pair in pairs:
        for source, frame in zip(sources, pair, strict=True):
            source.push(frame)
        yield sink.pull()


def can_measure_vmaf(ffmpeg: str) -> bool:
    try:
        listed = subprocess.run([ffmpeg, "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return " libvmaf " in listed.stdout


def mean_vmaf(clip: Path, reference: Path, ffmpeg: str) -> float:
    log = clip.with_suffix(".json")
    graph = f"libvmaf=log_fmt=json:log_path={log}"
    inputs = ["-i", str(clip), "-i", str(reference)]
    subprocess.run([ffmpeg, "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"], check=True)
    mean: float = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
    return mean


def table(candidates: Sequence[Candidate], spec: GenerationSpec) -> Iterator[str]:
    """Yield the lines of a Markdown table. The CPU seconds are medians, also of the ratios to the first row."""
    yield "| encoder and options | kbit/s | VMAF | SSIM | CPU s | CPU, ratio |"
    yield "|---|---:|---:|---:|---:|---:|"
    for candidate in candidates:
        rate = candidate.size_bytes * 8 / spec.duration_s / 1000
        vmaf = "" if candidate.vmaf is None else f"{candidate.vmaf:.2f}"
        ratio = statistics.median(own / first for own, first in zip(candidate.cpu_s, candidates[0].cpu_s, strict=True))
        yield (
            f"| {candidate.codec.encoder} {candidate.name.replace(',', ' ')} | {float(rate):.0f} | {vmaf} | "
            f"{candidate.ssim:.4f} | {statistics.median(candidate.cpu_s):.2f} | {ratio:.2f} |"
        )


if __name__ == "__main__":
    main()
