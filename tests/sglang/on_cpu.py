"""Run a real SGLang, which `cpu_env.sh` installed, on this machine's CPU."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enhancer.sglang_process import ManagedOptions, ManagedSglang
from tests.sglang.tiny_llama import CONTEXT_TOKENS

PYTHON = "LTX23_TEST_SGLANG_PYTHON"

# A CPU lacks CUDA's kernels and the scheduling that overlaps with them.
CPU_ARGS = (
    *("--device", "cpu", "--attention-backend", "torch_native", "--sampling-backend", "pytorch"),
    "--disable-overlap-schedule",
)


def sglang_python() -> Path:
    """Return the absolute path, since SGLang may be started from another folder."""
    python = os.environ.get(PYTHON)
    assert python, f"{PYTHON} names no Python that has SGLang; `make test-sglang` makes one"
    return Path(python).absolute()


def cpu_options(model: Path) -> ManagedOptions:
    return ManagedOptions(
        sglang_python(),
        str(model),
        context_length=CONTEXT_TOKENS,
        max_total_tokens=2 * CONTEXT_TOKENS,
        extra_args=CPU_ARGS,
    )


@contextmanager
def running_sglang(model: Path) -> Iterator[str]:
    """Run SGLang in a thread with its own event loop; yield its address."""
    settled, done = threading.Event(), asyncio.Event()
    managed = ManagedSglang(cpu_options(model))
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        managed.start()
        try:
            await managed.wait_until_ready()
            settled.set()
            await done.wait()
        finally:
            settled.set()
            await managed.aclose()

    thread = threading.Thread(target=asyncio.run, args=[run()], name="sglang")
    thread.start()
    settled.wait()
    try:
        yield managed.url
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join()
