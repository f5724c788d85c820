"""The SQLite file of the records: its schema and version, and what becomes of one that is damaged."""

import logging
import sqlite3
import time
from pathlib import Path

from server.videos.errors import DatabaseDamaged, DataDirError, StoreError

log = logging.getLogger("ltx23.videos")

# What is searched for has a column; all else about a video is JSON.
SCHEMA = """
CREATE TABLE videos (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at REAL NOT NULL,
    completed_at REAL,
    size_bytes INTEGER NOT NULL,
    idempotency_key TEXT,
    fingerprint TEXT,
    order_json TEXT NOT NULL,
    end_json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX videos_by_idempotency_key ON videos (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
"""
# A page of one owner's videos, what is too old, what takes too much room and what is not finished are each found
# without a look at all the others.
INDEXES = """
CREATE INDEX videos_by_owner ON videos (owner, id);
CREATE INDEX videos_by_end ON videos (completed_at, id, size_bytes) WHERE completed_at IS NOT NULL;
CREATE INDEX videos_unfinished ON videos (id) WHERE completed_at IS NULL;
"""
# From each version to the next, beginning with an empty file.
MIGRATIONS = (SCHEMA, INDEXES)

# How long a statement waits for another program that has locked the database.
BUSY_TIMEOUT_S = 5.0


def open_database(path: Path) -> sqlite3.Connection:
    """For the calling thread. A damaged file is moved aside. Raises DataDirError when a newer server wrote it."""
    try:
        return _open(path)
    except DatabaseDamaged as exc:
        aside = _move_aside(path)
        log.warning("%s is damaged (%s): moved to %s, and its videos are forgotten", path, exc, aside.name)
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _validate(connection)
        _migrate(connection, path)
    except BaseException as exc:
        if connection is not None:
            connection.close()
        if isinstance(exc, sqlite3.OperationalError):
            raise StoreError(f"{path}: {exc}") from exc
        if isinstance(exc, sqlite3.DatabaseError):
            raise DatabaseDamaged(str(exc)) from exc
        raise
    return connection


def _validate(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise DatabaseDamaged(verdict)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise DataDirError(
            f"{path} was written by a newer server (version {version}, this one knows {len(MIGRATIONS)}); "
            "update this one, or give it a data folder of its own"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
