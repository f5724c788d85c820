"""Variants of finished clips: made when they are first requested, and kept beside the clip."""

import asyncio
import threading
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from pipelines.media.codecs import FORMATS
from pipelines.media.preview import PreviewCancelled, write_spritesheet, write_thumbnail
from server.jobs.job import STOPPING, NotReady
from server.videos.data_dir import DataDir
from server.videos.errors import VideoNotFound
from server.videos.store import VideoStore
from server.videos.video import Video
from weights.disk import replacing


class Variant(StrEnum):
    """Another file of a clip: a small picture, named as by OpenAI, or the same in fragments."""

    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"
    FRAGMENTS = "fragments"


PICTURES = {Variant.THUMBNAIL: "thumbnail.webp", Variant.SPRITESHEET: "spritesheet.jpg"}


class Variants:
    """Makes one variant at a time, off the event loop: decoding a clip keeps a core busy for seconds."""

    def __init__(self, store: VideoStore, data_dir: DataDir) -> None:
        self._store, self._data = store, data_dir
        self._turn = asyncio.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Cancel the picture that is being made."""
        self._stopped.set()

    async def path(self, video: Video, variant: Variant) -> Path:
        """Return the file. Raises VideoNotFound if the video is deleted meanwhile, NotReady if the server stops."""
        path = self._data.folder(video.id) / _file_name(video, variant)
        async with self._turn:
            if not await asyncio.to_thread(path.exists):
                await self._make(video, variant, path)
        return path

    async def _make(self, video: Video, variant: Variant, path: Path) -> None:
        try:
            size_bytes = await asyncio.to_thread(self._write, video, variant, path)
        except FileNotFoundError as exc:
            raise VideoNotFound(video.id) from exc
        except PreviewCancelled as exc:
            raise NotReady(STOPPING) from exc
        await self._count(video.id, size_bytes)

    async def _count(self, video_id: str, size_bytes: int) -> None:
        """Add the variant's size to the video's record."""
        recorded = await self._store.get(video_id)
        if recorded is None:
            await asyncio.to_thread(self._data.remove_folder, video_id)
            raise VideoNotFound(video_id)
        await self._store.update(replace(recorded, previews_bytes=recorded.previews_bytes + size_bytes))

    def _write(self, video: Video, variant: Variant, path: Path) -> int:
        clip, spec = video.path(self._data.folder(video.id)), video.request.spec
        with replacing(path) as part:
            match variant:
                case Variant.THUMBNAIL:
                    write_thumbnail(clip, part, self._stopped.is_set)
                case Variant.SPRITESHEET:
                    write_spritesheet(clip, spec.delivered_frames, part, self._stopped.is_set)
                case Variant.FRAGMENTS:
                    # PyAV, which the server loads only if it has to.
                    from pipelines.media.fragments import write_fragments

                    write_fragments(clip, spec.container, part)
        return path.stat().st_size


def _file_name(video: Video, variant: Variant) -> str:
    return PICTURES.get(variant) or f"{variant}{FORMATS[video.request.spec.container].suffix}"
