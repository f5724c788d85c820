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

from benchmarks.overhead import post
from benchmarks.running_server import RunningServer, running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="clips of each server (default: 5)")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--num-frames", type=int, default=121)
    options = parser.parse_args()
    body = f'"width": {options.width}, "height": {options.height}, "num_frames": {options.num_frames}'
    with running_server() as plain, running_server("--fast") as fast:
        for server in (plain, fast):
            measure(server, body, "a warm-up")
        pairs = [
            (measure(plain, body, f"a red fox {number}"), measure(fast, body, f"a red fox {number}"))
            for number in range(options.pairs)
        ]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {options.pairs}")
    print(f"{options.width}x{options.height}, {options.num_frames} frames, sound    plain    fast   ratio")
    for number, name in enumerate(("seconds that a client waits", "CPU seconds of the worker")):
        columns = [[measured[number] for measured in column] for column in zip(*pairs, strict=True)]
        plain_s, fast_s = map(statistics.median, columns)
        ratio = statistics.median(fast / plain for plain, fast in zip(*columns, strict=True))
        print(f"{name:30}{plain_s:9.2f}{fast_s:8.2f}{ratio:8.3f}")


def measure(server: RunningServer, body: str, prompt: str) -> tuple[float, float]:
    """Render a clip; return its seconds and the worker's CPU seconds."""
    begun, busy = time.perf_counter(), cpu_seconds(server)
    post(server.url, f'{{"prompt": "{prompt}", "seed": 1, {body}}}'.encode())
    return time.perf_counter() - begun, cpu_seconds(server) - busy


def cpu_seconds(server: RunningServer) -> float:
    assert server.worker is not None
    times = server.worker.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
