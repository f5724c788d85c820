"""Measure what the server adds to a render: `python -m benchmarks.overhead [--pairs N]`.

Prints three figures, with the tiny model on the CPU: the wall time of POST /generate against the same render (generate,
mux, verify) in this process, in alternating pairs; the latency of GET /health while a clip renders; and the share of
the time that the device works, with four clients at once.
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from benchmarks.running_server import running_server
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from server.configure import worker_config
from server.process.torch_environment import wait_passively
from server.settings import load_settings

if TYPE_CHECKING:
    from server.worker.model import Model

REQUEST = b'{"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 25, "seed": 1}'
LONG_REQUEST = b'{"prompt": "a red fox", "seed": 1}'
CLIENTS, CLIPS = 4, 24
# Of Server-Timing; `mux` is what a clip takes beside the next one.
DEVICE_STAGES = ("encode", "denoise", "decode")
SPEC = GenerationSpec("a red fox", seed=1, width=256, height=256, num_frames=25, frame_rate=Fraction(24))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    wait_passively()
    from server.worker.model import load_model

    model = load_model(worker_config(load_settings()), lambda *_: None)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {model.info.device}")
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        compare(lambda: direct(model, Path(folder) / "clip.mp4"), lambda: post(server.url, REQUEST), pairs)
        measure_health(server.url)
        measure_throughput(server.url)


def compare(call_direct: Callable[[], object], call_server: Callable[[], object], pairs: int) -> None:
    call_direct()
    call_server()
    timed = [(seconds(call_direct), seconds(call_server)) for _ in range(pairs)]
    direct_s, server_s = (statistics.median(column) for column in zip(*timed, strict=True))
    ratio = statistics.median(server / direct for direct, server in timed)
    print(f"256x256, 25 frames, median of {pairs}: direct {direct_s:.3f} s, POST /generate {server_s:.3f} s")
    print(f"ratio, median of the pairs: {ratio:.3f} (aim: 1.03)")


def measure_health(url: str) -> None:
    render = threading.Thread(target=post, args=(url, LONG_REQUEST))
    render.start()
    latencies_ms = []
    while render.is_alive():
        latencies_ms.append(1000 * seconds(lambda: urlopen(f"{url}/health", timeout=60).read()))
        time.sleep(0.005)
    p50, p99 = (statistics.quantiles(latencies_ms, n=100)[i] for i in (49, 98))
    count = len(latencies_ms)
    print(f"/health while 768x512, 121 frames render, {count} calls: p50 {p50:.1f} ms, p99 {p99:.1f} ms (aim: 20)")


def measure_throughput(url: str) -> None:
    """Let clients post clips at once: the server can be no faster than the sum of their stages on the device."""
    post(url, REQUEST)
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        timings = list(clients.map(lambda _: post(url, REQUEST), range(CLIPS)))
    wall_s = time.perf_counter() - begun
    device_s = sum(seconds for timing in timings for name, seconds in timing.items() if name in DEVICE_STAGES)
    print(
        f"{CLIENTS} clients, {CLIPS} clips of 256x256, 25 frames: {wall_s:.1f} s, their stages on the device ", end=""
    )
    print(f"{device_s:.1f} s, ratio {device_s / wall_s:.3f} (aim: 0.95)")


def direct(model: "Model", path: Path) -> None:
    model.render(SPEC, path, Trace())
    path.read_bytes()


def post(url: str, body: bytes) -> dict[str, float]:
    """Return the seconds of each stage."""
    with urlopen(Request(f"{url}/generate", data=body), timeout=600) as response:
        response.read()
        entries = response.headers["Server-Timing"].split(", ")
    return {name: float(duration) / 1000 for name, duration in (entry.split(";dur=") for entry in entries)}


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
