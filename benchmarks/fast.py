"""Measure what --fast saves: `python -m benchmarks.fast [--pairs N]`.

Two servers with the tiny model, one of them with --fast, render default clips (768x512, 121 frames, sound) by turns,
each with a prompt of its own. Prints the seconds that a client waits and the CPU seconds of the worker, as medians, and
the medians of their ratios.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.overhead import post
from benchmarks.running_server import RunningServer, running_server


@dataclass(frozen=True)
class Clips:
    """What is rendered: pairs of clips of one size."""

    pairs: int
    width: int
    height: int
    num_frames: int

    @property
    def fields(self) -> str:
        return f'"width": {self.width}, "height": {self.height}, "num_frames": {self.num_frames}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="clips of each server (default: 5)")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--num-frames", type=int, default=121)
    clips = Clips(**vars(parser.parse_args()))
    with running_server() as plain, running_server("--fast") as fast:
        print("\n".join(compare(plain, fast, clips)))


def compare(plain: RunningServer, fast: RunningServer, clips: Clips) -> Iterator[str]:
    """Yield the lines of the table."""
    for server in (plain, fast):
        measure(server, clips, "a warm-up")
    pairs = [
        (measure(plain, clips, f"a red fox {number}"), measure(fast, clips, f"a red fox {number}"))
        for number in range(clips.pairs)
    ]
    yield f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {clips.pairs}"
    yield f"{clips.width}x{clips.height}, {clips.num_frames} frames, sound    plain    fast   ratio"
    for number, name in enumerate(("seconds that a client waits", "CPU seconds of the worker")):
        columns = [[measured[number] for measured in column] for column in zip(*pairs, strict=True)]
        plain_s, fast_s = map(statistics.median, columns)
        ratio = statistics.median(fast / plain for plain, fast in zip(*columns, strict=True))
        yield f"{name:30}{plain_s:9.2f}{fast_s:8.2f}{ratio:8.3f}"


def measure(server: RunningServer, clips: Clips, prompt: str) -> tuple[float, float]:
    """Render a clip; return its seconds and the worker's CPU seconds."""
    begun, busy = time.perf_counter(), cpu_seconds(server)
    post(server.url, f'{{"prompt": "{prompt}", "seed": 1, {clips.fields}}}'.encode())
    return time.perf_counter() - begun, cpu_seconds(server) - busy


def cpu_seconds(server: RunningServer) -> float:
    assert server.worker is not None
    times = server.worker.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
