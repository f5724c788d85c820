"""The process that decodes images: killed when nothing waits for it, replaced when it dies."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from benchmarks.running_server import media_checkers
from server.jobs.job import NotReady
from server.uploads.checker import Checked, CheckedSound, MediaChecker
from tests.jobs.conftest import PROGRAMS
from tests.media.sounds import tone, write_wav


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Create a pipe without a writer: the process waits for this image for ever."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    path = tmp_path / "valid"
    Image.new("RGB", (40, 30)).save(path, "PNG")
    return path


@asynccontextmanager
async def running() -> AsyncIterator[MediaChecker]:
    checker = MediaChecker()
    try:
        yield checker
    finally:
        await checker.aclose()


def run(test: Callable[[MediaChecker], Coroutine[Any, Any, None]]) -> None:
    async def with_checker() -> None:
        async with running() as checker:
            await test(checker)

    asyncio.run(with_checker())


def decoders() -> list[psutil.Process]:
    """Return the media checkers of this process, without those of shared servers."""
    return media_checkers(os.getpid())


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[psutil.Process]:
    """Wait until the process has opened the pipe, and keep it open."""
    descriptor = await asyncio.to_thread(os.open, path, os.O_WRONLY)
    try:
        [process] = decoders()
        yield process
    finally:
        os.close(descriptor)


def test_the_size_of_an_image_is_returned(valid: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image")

    async def test(checker: MediaChecker) -> None:
        assert await checker.check(valid, None) == Checked(40, 30)
        assert await checker.check(valid, None, decode=False) == Checked(40, 30)
        assert "not an image" in ((await checker.check(tmp_path / "text", None)).error or "")
        assert len(decoders()) == 1

    run(test)
    assert decoders() == []


def test_cancelling_a_check_ends_its_process(endless: Path, valid: Path) -> None:
    async def test(checker: MediaChecker) -> None:
        check = asyncio.create_task(checker.check(endless, None))
        async with reading(endless) as process:
            check.cancel()
            with pytest.raises(asyncio.CancelledError):
                await check
            process.wait()
        assert await checker.check(valid, None) == Checked(40, 30)

    run(test)


def test_a_stopping_server_does_not_wait_for_a_check(endless: Path, valid: Path) -> None:
    async def test(checker: MediaChecker) -> None:
        checks = [asyncio.create_task(checker.check(path, None)) for path in (endless, valid)]
        async with reading(endless):
            checker.stop()
            for check in checks:
                with pytest.raises(NotReady):
                    await check
        with pytest.raises(NotReady):
            await checker.check(valid, None)

    run(test)


def test_an_image_that_kills_its_decoder_is_refused(endless: Path, valid: Path) -> None:
    async def test(checker: MediaChecker) -> None:
        check = asyncio.create_task(checker.check(endless, None))
        async with reading(endless) as process:
            process.kill()
            assert "cannot be decoded" in ((await check).error or "")
        assert await checker.check(valid, None) == Checked(40, 30)

    run(test)


def test_the_length_of_a_sound_is_returned(valid: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound", tone(0.7, 44_100), 44_100)

    async def test(checker: MediaChecker) -> None:
        assert await checker.check_sound(sound, None) == CheckedSound(Fraction(7, 10))
        assert "a PNG image" in ((await checker.check_sound(valid, None)).error or "")

    run(test)


def test_a_sound_that_kills_its_decoder_is_refused(endless: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "sound", tone(0.5))

    async def test(checker: MediaChecker) -> None:
        check = asyncio.create_task(checker.check_sound(endless, None))
        async with reading(endless) as process:
            process.kill()
            assert "cannot be decoded: save it again as a plain WAV" in ((await check).error or "")
        assert await checker.check_sound(sound, None) == CheckedSound(Fraction(1, 2))

    run(test)


def test_the_process_ends_when_its_server_is_killed_even_while_it_reads(endless: Path) -> None:
    program = [sys.executable, str(PROGRAMS / "is_killed_with_a_checker.py"), str(endless)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        checker = psutil.Process(int(server.stdout.readline()))
        with endless.open("wb"):
            server.stdin.write("\n")
            server.stdin.flush()
            assert server.wait() == -signal.SIGKILL
            checker.wait(timeout=30)
