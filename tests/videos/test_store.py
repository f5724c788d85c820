"""The database of videos: it reads what an earlier version wrote, and no query scans all videos."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from server.videos.database import SCHEMA, open_database
from server.videos.store import VideoStore
from tests.jobs.conftest import Dispatching
from tests.videos.library import FOREVER, Clock, ids, library, make


async def test_videos_of_the_first_version_are_still_there(dispatching: Dispatching, tmp_path: Path) -> None:
    """Create rows in the schema of the first version."""
    database, clock = tmp_path / "data" / "videos.sqlite3", Clock()
    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", FOREVER, clock) as videos:
        made = [await make(videos, prompt, owner) for prompt, owner in (("a fox", None), ("a dog", "key-1"))]
        for video in made:
            await videos.wait(video.id)
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT * FROM videos").fetchall()
    for file in database.parent.glob("videos.sqlite3*"):
        file.unlink()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(f"{SCHEMA} PRAGMA user_version = 1;")
        connection.executemany(f"INSERT INTO videos VALUES ({', '.join('?' * len(rows[0]))})", rows)

    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", FOREVER, clock) as videos:
        assert await ids(videos) == [made[0].id]
        assert (await videos.get(made[1].id, "key-1")).video.request.original_prompt == "a dog"
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the statements that SQLite runs, with their values."""
    run: list[str] = []

    def opened(path: Path) -> sqlite3.Connection:
        connection = open_database(path)
        connection.set_trace_callback(run.append)
        return connection

    with monkeypatch.context() as patched:
        patched.setattr("server.videos.store.open_database", opened)
        yield run


@asynccontextmanager
async def opened_store(path: Path) -> AsyncIterator[VideoStore]:
    store = VideoStore(path, path.parent.joinpath)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_no_query_scans_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    database = tmp_path / "videos.sqlite3"
    with statements(monkeypatch) as run:
        async with opened_store(database) as store:
            for after in (None, "video_1"):
                await store.page("key-1", after, 20, newest_first=True, ended_after=1.0)
                await store.page("key-1", after, 20, newest_first=False, ended_after=1.0)
            await store.get("video_1")
            await store.find("key-1", "the same again")
            await store.expired(1.0)
            await store.oldest(100)
            await store.newest()
            await store.unfinished_ids()
            await store.delete("video_1")
            await store.total_bytes()

    asked = [statement for statement in run if re.match("SELECT|DELETE", statement)]
    assert len(asked) == 12
    with closing(sqlite3.connect(database)) as connection:
        plans = {statement: _plan(connection, statement) for statement in asked}
    for statement, plan in plans.items():
        assert not any("TEMP B-TREE" in step for step in plan), statement
        assert all(step.startswith("SEARCH") or "INDEX videos_" in step for step in plan), (statement, plan)
    pages = [plan for statement, plan in plans.items() if "LIMIT 20" in statement]
    assert all(plan[0].startswith("SEARCH videos USING INDEX videos_by_owner (owner=?") for plan in pages)


def _plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize("after", ["x", "zzz", "video_1", "video_" + "f" * 32, "video_" + "g" * 32, "", "' OR 1=1"])
async def test_the_list_after_an_unknown_video_is_empty(after: str, dispatching: Dispatching, tmp_path: Path) -> None:
    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", FOREVER, Clock()) as videos:
        made = await make(videos, "quick")
        await videos.wait(made.id)
        found = await asyncio.gather(*(videos.page(None, after, 9, newest_first=is_so) for is_so in (True, False)))

    assert found == [[], []]
