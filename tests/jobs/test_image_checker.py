"""The process that decodes images: killed when nothing waits for it, replaced when it dies, shared by turns."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from benchmarks.running_server import image_checkers
from server.images.checker import Checked, ImageChecker
from server.jobs.fair_lock import FairLock
from server.jobs.job import NotReady
from server.requests.workspace import write_images


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Create a pipe without a writer: the process waits for this image for ever."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound"
    Image.new("RGB", (40, 30)).save(path, "PNG")
    return path


@asynccontextmanager
async def running() -> AsyncIterator[ImageChecker]:
    checker = ImageChecker()
    try:
        yield checker
    finally:
        await checker.aclose()


def run(test: Callable[[ImageChecker], Coroutine[Any, Any, None]]) -> None:
    async def with_checker() -> None:
        async with running() as checker:
            await test(checker)

    asyncio.run(with_checker())


def decoders() -> list[psutil.Process]:
    """Return the image checkers of this process, without those of shared servers."""
    return image_checkers(os.getpid())


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[psutil.Process]:
    """Wait until the process has opened the pipe, and keep it open."""
    descriptor = await asyncio.to_thread(os.open, path, os.O_WRONLY)
    try:
        [process] = decoders()
        yield process
    finally:
        os.close(descriptor)


def test_the_size_of_an_image_is_returned(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image")

    async def test(checker: ImageChecker) -> None:
        assert await checker.check(sound, None) == Checked(40, 30)
        assert await checker.check(sound, None, decode=False) == Checked(40, 30)
        assert "not an image" in ((await checker.check(tmp_path / "text", None)).error or "")
        assert len(decoders()) == 1

    run(test)
    assert decoders() == []


def test_cancelling_a_check_ends_its_process(endless: Path, sound: Path) -> None:
    async def test(checker: ImageChecker) -> None:
        check = asyncio.create_task(checker.check(endless, None))
        async with reading(endless) as process:
            check.cancel()
            with pytest.raises(asyncio.CancelledError):
                await check
            process.wait()
        assert await checker.check(sound, None) == Checked(40, 30)

    run(test)


def test_a_stopping_server_does_not_wait_for_a_check(endless: Path, sound: Path) -> None:
    async def test(checker: ImageChecker) -> None:
        checks = [asyncio.create_task(checker.check(path, None)) for path in (endless, sound)]
        async with reading(endless):
            checker.stop()
            for check in checks:
                with pytest.raises(NotReady):
                    await check
        with pytest.raises(NotReady):
            await checker.check(sound, None)

    run(test)


def test_an_image_that_kills_its_decoder_is_refused(endless: Path, sound: Path) -> None:
    async def test(checker: ImageChecker) -> None:
        check = asyncio.create_task(checker.check(endless, None))
        async with reading(endless) as process:
            process.kill()
            assert "cannot be decoded" in ((await check).error or "")
        assert await checker.check(sound, None) == Checked(40, 30)

    run(test)


def test_owners_take_turns() -> None:
    order: list[str] = []

    async def take(lock: FairLock, owner: str, count: int) -> None:
        for _ in range(count):
            async with lock.hold(owner):
                order.append(owner)
                await asyncio.sleep(0)

    async def test() -> None:
        lock = FairLock()
        await asyncio.gather(take(lock, "many", 20), take(lock, "many", 20), take(lock, "few", 2))

    asyncio.run(test())
    # The first owner's two requests came first; then the owners alternate.
    assert [i for i, owner in enumerate(order) if owner == "few"] == [2, 5]


def test_a_cancelled_turn_goes_to_the_next_owner() -> None:
    async def test() -> None:
        lock = FairLock()
        async with lock.hold("a"):
            waiting = asyncio.create_task(lock.hold("b").__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(10), lock.hold("c"):
            pass

    asyncio.run(test())


def test_a_cancelled_write_of_images_ends_after_the_current_image(tmp_path: Path) -> None:
    """The folder is removed after the last write has ended."""
    os.mkfifo(tmp_path / "image-0")
    # More than a pipe holds: the write ends only when the pipe is read.
    large = bytes(2**20)

    async def test() -> None:
        writing = asyncio.create_task(write_images(tmp_path, [large, b"another"]))
        reader = await asyncio.to_thread((tmp_path / "image-0").open, "rb")
        writing.cancel()
        with reader:
            assert await asyncio.to_thread(reader.read) == large
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(test())
    assert [path.name for path in tmp_path.iterdir()] == ["image-0"]
