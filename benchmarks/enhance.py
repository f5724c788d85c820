"""Measure what prompt enhancement adds to the language model's own time: `python -m benchmarks.enhance [--rounds N]`.

The language model is a server on loopback that answers at once. Measures the latency of a rewrite, in this process and
as POST /enhance; then the render rate of four clients of the tiny model, alternately with and without `enhance_prompt`.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.request import Request, urlopen

from benchmarks.running_server import running_server
from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhanceRequest
from enhancer.sglang import Sglang, SglangOptions

CALLS = 500
CLIENTS = 4
CLIPS_PER_CLIENT = 3
CLIP = {"width": 256, "height": 256, "num_frames": 9, "return_json": True}

# Makes each prompt and each rewrite unique, so that no cache answers.
NUMBERS = itertools.count()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with language_model() as sglang_url:
        latencies_ms, cpu_ms = asyncio.run(time_rewrites(sglang_url))
        print(f"Enhancer.enhance, {CALLS} calls: {percentiles(latencies_ms)}")
        print(f"  of CPU time, the server that answers included: {cpu_ms:.2f} ms a call")
        with running_server("--sglang-url", sglang_url, "--captioner", "off") as server:
            url = server.url
            post(f"{url}/enhance", prompt=new_prompt())
            calls_ms = [timed_ms(lambda: post(f"{url}/enhance", prompt=new_prompt())) for _ in range(CALLS)]
            print(f"POST /enhance, {CALLS} calls: {percentiles(calls_ms)}")
            compare(url, rounds)


async def time_rewrites(sglang_url: str) -> tuple[list[float], float]:
    """Return the milliseconds of each call, and the mean CPU time, which a busy machine affects less."""
    enhancer = Enhancer(Sglang(SglangOptions(sglang_url)))
    await enhancer.enhance(EnhanceRequest(new_prompt()), required=True)
    latencies_ms = []
    cpu_start = time.process_time()
    for _ in range(CALLS):
        start = time.perf_counter()
        await enhancer.enhance(EnhanceRequest(new_prompt()), required=True)
        latencies_ms.append(1000 * (time.perf_counter() - start))
    cpu_ms = 1000 * (time.process_time() - cpu_start) / CALLS
    await enhancer.aclose()
    return latencies_ms, cpu_ms


def compare(url: str, rounds: int) -> None:
    """Return clips per second by round; the ratio compares neighbouring rounds."""
    render_all(url, enhance=False), render_all(url, enhance=True)
    pairs = [(render_all(url, enhance=False), render_all(url, enhance=True)) for _ in range(rounds)]
    plain, enhanced = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(with_it / without for without, with_it in pairs)
    clips = CLIENTS * CLIPS_PER_CLIENT
    print(f"{CLIENTS} clients, rounds of {clips} clips (256x256, 9 frames), median of {rounds}:")
    print(f"  as they come {plain:.3f} clips/s, enhanced {enhanced:.3f} clips/s")
    print(f"  ratio, median of the pairs: {ratio:.3f} (aim: 0.97)")


def render_all(url: str, *, enhance: bool) -> float:
    """Return clips per second."""

    def client(_: int) -> None:
        for _ in range(CLIPS_PER_CLIENT):
            answer = json.loads(post(f"{url}/generate", prompt=new_prompt(), enhance_prompt=enhance, **CLIP))
            assert answer["enhanced"] is enhance, answer["adjustments"]

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    return CLIENTS * CLIPS_PER_CLIENT / (time.perf_counter() - start)


def new_prompt() -> str:
    return f"a red fox runs through deep snow, take {next(NUMBERS)}"


def post(url: str, **fields: object) -> bytes:
    with urlopen(Request(url, data=json.dumps(fields).encode()), timeout=600) as response:
        body: bytes = response.read()
        return body


def timed_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def percentiles(latencies_ms: list[float]) -> str:
    p50, p99 = (statistics.quantiles(latencies_ms, n=100)[i] for i in (49, 98))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms (aim: 20)"


@contextmanager
def language_model() -> Iterator[str]:
    """Start a language model on a thread of this process; yield its address."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    urls: list[str] = []

    async def serve() -> None:
        server = await asyncio.start_server(answer_requests, "127.0.0.1", 0)
        urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    ready.wait()
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)


async def answer_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the client disconnects; connections are kept alive."""
    while length := await read_head(reader):
        await reader.readexactly(length)
        writer.write(answer())
    writer.close()


async def read_head(reader: asyncio.StreamReader) -> int:
    """Return the length of the body that follows; 0 at the end."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


def answer() -> bytes:
    text = f"A red fox runs through deep, glittering snow at dawn while the camera follows it, take {next(NUMBERS)}."
    message = {"role": "assistant", "content": text}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


if __name__ == "__main__":
    main()
