"""A managed SGLang with real processes that each fail in one way, in place of its `launch_server`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from enhancer.errors import Unavailable
from enhancer.line_log import MAX_LINE_BYTES, MAX_LINES
from enhancer.sglang_process import (
    RESTART_MEM_FRACTION,
    STABLE_S,
    ManagedOptions,
    ManagedSglang,
    ManagedState,
    ManagedStatus,
)
from tests.enhancer.clock import Clock
from tests.jobs.conftest import has_ended

PROGRAMS = Path(__file__).parent / "programs" / "launch_server"
REASON = "the prompt enhancer's language model ended with"
KILLED_SERVER = Path(__file__).parents[1] / "programs" / "is_killed_with_sglang.py"


class Rig(ManagedSglang):
    """A managed server that records its states."""

    def __init__(self, options: ManagedOptions, clock: Clock) -> None:
        self._states: asyncio.Queue[ManagedState] = asyncio.Queue()
        super().__init__(options, self._states.put_nowait, clock)

    async def told(self, status: ManagedStatus) -> ManagedState:
        """Wait for the next state with this status."""
        while (state := await self._states.get()).status is not status:
            pass
        return state


Managing = Callable[..., AbstractAsyncContextManager[Rig]]


def python_that_runs(program: str, folder: Path) -> Path:
    """Write a script to pass as SGLang's python, which runs the named program instead."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {PROGRAMS / program}.py "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def managing(tmp_path: Path, clock: Clock) -> Managing:
    """Return an async context manager that runs a managed server, given the name of its program."""

    @asynccontextmanager
    async def manage(program: str, **options: Any) -> AsyncIterator[Rig]:
        python = python_that_runs(program, tmp_path)
        managed = Rig(ManagedOptions(python, str(tmp_path), **options), clock)
        managed.start()
        try:
            yield managed
        finally:
            await managed.aclose()

    return manage


def lives(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "lives").read_text().splitlines()]


def process_of(folder: Path) -> psutil.Process:
    """Return the process that was started last."""
    return psutil.Process(lives(folder)[-1]["pid"])


def spawned(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "spawned").read_text()))


def get(url: str) -> int:
    with urlopen(url, timeout=60) as response:
        return response.status


def status(managed: ManagedSglang) -> ManagedStatus:
    return managed.state.status


async def test_the_process_is_started_and_stopped(managing: Managing, tmp_path: Path) -> None:
    async with managing("serves") as managed:
        assert status(managed) is ManagedStatus.STARTING
        await managed.wait_until_ready()
        assert status(managed) is ManagedStatus.READY
        assert await asyncio.to_thread(get, f"{managed.url}/ready") == 200
        process = process_of(tmp_path)
    assert status(managed) is ManagedStatus.CLOSED
    assert has_ended(process)
    with pytest.raises(URLError):
        get(f"{managed.url}/ready")


async def test_the_process_is_told_to_share_the_gpu_and_to_listen_on_loopback(
    managing: Managing, tmp_path: Path
) -> None:
    async with managing("serves", extra_args=("--device", "cpu")) as managed:
        await managed.wait_until_ready()
    (life,) = lives(tmp_path)
    words = life["argv"]
    assert words[:3] == ["-P", "-m", "sglang.launch_server"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--model-path": str(tmp_path),
        "--host": "127.0.0.1",
        "--port": managed.url.rpartition(":")[2],
        "--context-length": "4096",
        "--max-total-tokens": "16384",
        "--mem-fraction-static": "0.12",
        "--max-running-requests": "8",
        "--max-queued-requests": "32",
        "--log-level-http": "warning",
        "--device": "cpu",
    }


async def test_temporary_files_are_removed_with_the_process(managing: Managing, tmp_path: Path) -> None:
    async with managing("serves") as managed:
        await managed.wait_until_ready()
        temp_dir = lives(tmp_path)[0]["tmp"]
        assert os.listdir(temp_dir)
    with pytest.raises(FileNotFoundError):
        os.listdir(temp_dir)


async def test_a_slow_start_is_waited_for(managing: Managing, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    async with managing("ready_late") as managed:
        waiting = asyncio.create_task(managed.wait_until_ready())
        go = await asyncio.to_thread(os.open, tmp_path / "go", os.O_WRONLY)
        assert status(managed) is ManagedStatus.STARTING
        os.close(go)
        await waiting
        assert status(managed) is ManagedStatus.READY


async def test_a_process_that_is_not_ready_in_time_is_a_failure(managing: Managing, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spawned")
    async with managing("never_ready", ready_timeout_s=2) as managed:
        grandchild = psutil.Process(int(await asyncio.to_thread((tmp_path / "spawned").read_text)))
        with pytest.raises(Unavailable, match=r"not ready within 2 s"):
            await managed.wait_until_ready()
        assert has_ended(grandchild)


async def test_a_process_that_dies_while_starting_is_restarted(
    managing: Managing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ltx23.sglang")
    async with managing("dies_at_start") as managed:
        with pytest.raises(Unavailable, match=rf"^{REASON} exit code 1 while it started$"):
            await managed.wait_until_ready()
        with pytest.raises(Unavailable, match=REASON):
            await managed.wait_until_ready()
        await managed.wait_until_ready()
        reason = f"{REASON} exit code 1 while it started"
        assert managed.state == ManagedState(ManagedStatus.READY, None, restarts=2)
        assert await managed.told(ManagedStatus.FAILED) == ManagedState(ManagedStatus.FAILED, reason)
        assert await managed.told(ManagedStatus.RESTARTING) == ManagedState(ManagedStatus.RESTARTING, reason, 1)
    assert len(lives(tmp_path)) == 3
    assert "RuntimeError: Not enough memory" in caplog.messages
    assert [message.partition("; ")[2] for message in caplog.messages if "; " in message] == [
        "it is started again in 0 s",
        "it is started again in 1 s",
    ]


async def test_a_process_that_dies_later_is_restarted_at_the_same_address(
    managing: Managing, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with managing("serves") as managed:
        for _ in range(2):
            await managed.told(ManagedStatus.READY)
            clock.now_s += STABLE_S  # so the failures are not in a row
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(get, f"{managed.url}/die")
            assert (await managed.told(ManagedStatus.RESTARTING)).reason == f"{REASON} exit code 9"
        await managed.told(ManagedStatus.READY)
        assert await asyncio.to_thread(get, f"{managed.url}/ready") == 200
    assert [message.partition("; ")[2] for message in caplog.messages] == ["it is started again in 0 s"] * 2
    fractions = [life["argv"][life["argv"].index("--mem-fraction-static") + 1] for life in lives(tmp_path)]
    assert fractions == ["0.12", str(RESTART_MEM_FRACTION), str(RESTART_MEM_FRACTION)]


async def test_a_process_that_ignores_sigterm_is_killed_with_its_children(managing: Managing, tmp_path: Path) -> None:
    async with managing("ignores_sigterm", grace_s=0.1) as managed:
        await managed.wait_until_ready()
        processes = [process_of(tmp_path), spawned(tmp_path)]
    assert all(map(has_ended, processes))


async def test_the_process_ends_when_its_guard_is_killed(managing: Managing, tmp_path: Path) -> None:
    async with managing("serves") as managed:
        await managed.wait_until_ready()
        process = process_of(tmp_path)
        guard = process.parent()
        assert guard is not None
        guard.kill()
        assert await asyncio.to_thread(has_ended, process)
        assert (await managed.told(ManagedStatus.RESTARTING)).reason == f"{REASON} signal 9"
        await managed.wait_until_ready()


async def test_a_flood_of_output_is_cut_and_counted_and_delays_nothing(
    managing: Managing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ltx23.sglang")
    async with managing("floods") as managed:
        await managed.wait_until_ready()
        assert await asyncio.to_thread(get, f"{managed.url}/ready") == 200
    lines = [message for message in caplog.messages if message.startswith(("token", "xxx"))]
    assert 0 < len(lines) <= 2 * MAX_LINES
    assert max(map(len, caplog.messages)) <= MAX_LINE_BYTES
    assert "\x1b" not in caplog.text
    assert caplog.messages[-1].endswith(" more lines were left out")


async def test_a_missing_python_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ltx23.sglang")
    managed = ManagedSglang(ManagedOptions(tmp_path / "absent"))
    managed.start()
    with pytest.raises(Unavailable, match="exit code 127"):
        await managed.wait_until_ready()
    await managed.aclose()
    assert f"{tmp_path}/absent cannot be started: No such file or directory" in caplog.messages


async def test_closing_during_the_start_leaves_nothing_behind(managing: Managing, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spawned")
    async with managing("never_ready") as managed:
        waiting = asyncio.create_task(managed.wait_until_ready())
        grandchild = psutil.Process(int(await asyncio.to_thread((tmp_path / "spawned").read_text)))
    assert has_ended(grandchild)
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    with pytest.raises(Unavailable, match="closed"):
        await managed.wait_until_ready()


async def test_a_server_that_was_never_started_can_be_closed(tmp_path: Path) -> None:
    managed = ManagedSglang(ManagedOptions(tmp_path))
    with pytest.raises(Unavailable, match="not started"):
        await managed.wait_until_ready()
    await managed.aclose()


def test_the_process_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    python = python_that_runs("ignores_sigterm", tmp_path)
    done = subprocess.run([sys.executable, str(KILLED_SERVER), str(python), str(tmp_path)])

    assert done.returncode == -signal.SIGKILL
    assert all(has_ended(process) for process in processes_left(tmp_path))


def processes_left(folder: Path) -> Iterator[psutil.Process]:
    for pid in (lives(folder)[-1]["pid"], int((folder / "spawned").read_text())):
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(pid)
