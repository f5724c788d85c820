"""Small pictures of a clip: its first frame, or frames from all of it on one sheet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_SIDE = 640
TILE_SIDE = 320
SHEET_COLUMNS, SHEET_TILES = 4, 16


class PreviewCancelled(Exception):
    """The picture was not finished because nobody needs it any more."""


def write_thumbnail(clip: Path, path: Path, is_cancelled: Callable[[], bool] = lambda: False) -> None:
    """Write the first frame as WebP, at most 640 pixels wide or high."""
    frame = next(_decode(clip, is_cancelled))
    _picture(frame, THUMBNAIL_SIDE).save(path, "WEBP", quality=80)


def write_spritesheet(
    clip: Path, num_frames: int, path: Path, is_cancelled: Callable[[], bool] = lambda: False
) -> None:
    """Write up to 16 frames, evenly spaced from the first to the last, as a JPEG in rows of 4.

    Frames that are not shown are decoded too, one at a time. Raise PreviewCancelled.
    """
    from PIL import Image

    shown = _evenly_spaced(num_frames)
    tiles = [_picture(f, TILE_SIDE) for i, f in enumerate(_decode(clip, is_cancelled)) if i in shown]
    width, height = tiles[0].size
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (width * min(SHEET_COLUMNS, len(tiles)), height * rows))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % SHEET_COLUMNS * width, i // SHEET_COLUMNS * height))
    sheet.save(path, "JPEG", quality=85)


def _evenly_spaced(num_frames: int) -> frozenset[int]:
    count = min(num_frames, SHEET_TILES)
    return frozenset(round(i * (num_frames - 1) / max(count - 1, 1)) for i in range(count))


def _decode(clip: Path, is_cancelled: Callable[[], bool]) -> Iterator[Any]:
    import av

    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        # A render needs the other cores.
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if is_cancelled():
                raise PreviewCancelled
            yield frame


def _picture(frame: Any, side: int) -> "Image.Image":
    """Return the frame within `side` x `side` pixels, not enlarged."""
    scale = min(1.0, side / max(frame.width, frame.height))
    picture: Image.Image = frame.to_image(width=round(frame.width * scale), height=round(frame.height * scale))
    return picture
