"""Images of a request, written to files."""

import asyncio
import os
from pathlib import Path

import pytest

from server.uploads.files import write_images


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
