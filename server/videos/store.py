"""Records of videos in the database. Independent of files and jobs.

Uses the standard library's sqlite3 in a thread of its own: a few short statements per video need no other library, and
a function that runs there is a transaction that no other statement can interrupt.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from server.videos.database import open_database
from server.videos.errors import StoreError
from server.videos.prepared import request_from_json, request_to_json
from server.videos.video import Failure, Idempotency, Video, VideoStatus

Result = TypeVar("Result")


@dataclass(frozen=True)
class Finished:
    """The facts that decide how long a video is kept."""

    id: str
    completed_at: float
    size_bytes: int


class VideoStore:
    """The records of videos. Methods raise StoreError.

    folder_of: returns the folder of a video's files.
    """

    def __init__(self, path: Path, folder_of: Callable[[str], Path]) -> None:
        self._path, self._folder_of = path, folder_of
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="videos")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the database. Raises DataDirError if a newer server wrote it."""
        self._connection = await asyncio.get_running_loop().run_in_executor(self._thread, open_database, self._path)

    async def close(self) -> None:
        """Close the database, if it could be opened."""
        if self._connection is not None:
            await self._run(lambda connection: connection.close())
        self._thread.shutdown()

    async def insert(self, video: Video) -> None:
        row = _row(video)
        names = ", ".join(row)
        await self._execute(f"INSERT INTO videos ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)

    async def update(self, video: Video) -> None:
        """Update the record; do nothing if it no longer exists."""
        row = _row(video)
        await self._execute(f"UPDATE videos SET {', '.join(f'{name} = :{name}' for name in row)} WHERE id = :id", row)

    async def delete(self, video_id: str) -> bool:
        """Delete the record; return whether it existed."""
        rows = await self._execute("DELETE FROM videos WHERE id = ? RETURNING id", (video_id,))
        return bool(rows)

    async def get(self, video_id: str) -> Video | None:
        rows = await self._execute("SELECT * FROM videos WHERE id = ?", (video_id,))
        return self._video(rows[0]) if rows else None

    async def find(self, owner: str | None, idempotency_key: str) -> Video | None:
        rows = await self._execute(
            "SELECT * FROM videos WHERE owner = ? AND idempotency_key = ?", (owner or "", idempotency_key)
        )
        return self._video(rows[0]) if rows else None

    async def page(
        self, owner: str | None, after: str | None, limit: int, newest_first: bool, ended_after: float
    ) -> list[Video]:
        """Return a page of the owner's videos.

        after: the id of the last video on the previous page, which may have been deleted since.
        ended_after: a time; videos that finished at it or before are left out.
        """
        beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
        rows = await self._execute(
            "SELECT * FROM videos WHERE owner = :owner "
            f"{'' if after is None else f'AND id {beyond} :after '}"
            f"AND (completed_at IS NULL OR completed_at > :ended_after) ORDER BY id {order} LIMIT :limit",
            {"owner": owner or "", "after": after, "limit": limit, "ended_after": ended_after},
        )
        return [self._video(row) for row in rows]

    async def unfinished_ids(self) -> list[str]:
        return [
            row["id"] for row in await self._execute("SELECT id FROM videos WHERE completed_at IS NULL ORDER BY id")
        ]

    async def ids(self) -> set[str]:
        return {row["id"] for row in await self._execute("SELECT id FROM videos")}

    async def expired(self, ended_until: float) -> list[str]:
        """Return the ids of the videos that finished at `ended_until` or before."""
        rows = await self._execute("SELECT id FROM videos WHERE completed_at <= ?", (ended_until,))
        return [row["id"] for row in rows]

    async def total_bytes(self) -> int:
        """Return the total size of the files of all finished videos."""
        rows = await self._execute("SELECT sum(size_bytes) AS total FROM videos WHERE completed_at IS NOT NULL")
        return rows[0]["total"] or 0

    async def oldest(self, limit: int) -> list[Finished]:
        """Return finished videos that have a file, in the order in which they finished."""
        return await self._finished("ASC", limit)

    async def newest(self) -> Finished | None:
        """Return the video with a file that finished last, or None."""
        return next(iter(await self._finished("DESC", 1)), None)

    async def _finished(self, order: str, limit: int) -> list[Finished]:
        rows = await self._execute(
            "SELECT id, completed_at, size_bytes FROM videos WHERE completed_at IS NOT NULL AND size_bytes > 0 "
            f"ORDER BY completed_at {order}, id {order} LIMIT ?",
            (limit,),
        )
        return [Finished(**row) for row in rows]

    def _video(self, row: sqlite3.Row) -> Video:
        end = json.loads(row["end_json"])
        key = row["idempotency_key"]
        return Video(
            id=row["id"],
            owner=row["owner"] or None,
            request=request_from_json(row["order_json"], self._folder_of(row["id"])),
            created_at=row["created_at"],
            status=VideoStatus(row["status"]),
            completed_at=row["completed_at"],
            size_bytes=row["size_bytes"] - end.get("previews_bytes", 0),
            previews_bytes=end.get("previews_bytes", 0),
            timings_s=end["timings_s"],
            peak_memory_bytes=end.get("peak_memory_bytes"),
            failure=Failure(**end["failure"]) if end["failure"] else None,
            idempotency=Idempotency(key, row["fingerprint"]) if key is not None else None,
        )

    async def _execute(self, statement: str, values: Iterable[Any] | dict[str, Any] = ()) -> Any:
        def run(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        return await self._run(run)

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._connection
        assert connection is not None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, connection)
        except sqlite3.Error as exc:
            raise StoreError(f"the database of videos failed: {exc}") from exc


def _row(video: Video) -> dict[str, Any]:
    end = {
        "timings_s": dict(video.timings_s),
        "peak_memory_bytes": video.peak_memory_bytes,
        "previews_bytes": video.previews_bytes,
        "failure": asdict(video.failure) if video.failure else None,
    }
    return {
        "id": video.id,
        "owner": video.owner or "",
        "status": str(video.status),
        "created_at": video.created_at,
        "completed_at": video.completed_at,
        # The size of all its files, which counts for retention.
        "size_bytes": video.size_bytes + video.previews_bytes,
        "idempotency_key": video.idempotency.key if video.idempotency else None,
        "fingerprint": video.idempotency.fingerprint if video.idempotency else None,
        "order_json": request_to_json(video.request),
        "end_json": json.dumps(end),
    }
