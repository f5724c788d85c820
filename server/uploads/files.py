"""Write the images, the sound and the clip of a request to files."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SOUND, SOURCE = "sound", "source"


async def write_images(folder: Path, images: Sequence[bytes]) -> list[Path]:
    """Write each distinct image to a file, unchanged, and return the file of each of `images`.

    If cancelled, it stops after the current file, and nothing is written after it returns.
    """
    paths: dict[bytes, Path] = {}
    for data in images:
        # In a thread, because the first lookup hashes the whole image.
        if not await _finish_in_thread(paths.__contains__, data):
            paths[data] = folder / f"image-{len(paths)}"
            await _finish_in_thread(paths[data].write_bytes, data)
    return [paths[data] for data in images]


async def write_sound(folder: Path, sound: bytes) -> Path:
    """Write a sound to a file, unchanged. If cancelled, nothing is written after it returns."""
    path = folder / SOUND
    await _finish_in_thread(path.write_bytes, sound)
    return path


async def write_source(folder: Path, clip: bytes | Path) -> Path:
    """Write a clip to a file, or link to it, unchanged. If cancelled, nothing is written after it returns.

    Raises FileNotFoundError if the clip is gone.
    """
    path = folder / SOURCE
    await _finish_in_thread(path.write_bytes if isinstance(clip, bytes) else partial(_link, path), clip)
    return path


def _link(path: Path, clip: Path) -> None:
    try:
        path.hardlink_to(clip)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(clip, path)


async def _finish_in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call `function` in a thread. If cancelled, wait until the call has ended, so that nothing changes afterwards."""
    call = asyncio.create_task(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        if not call.cancelled():
            call.exception()  # mark it as retrieved
        raise
