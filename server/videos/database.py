"""The SQLite file of the records: its schema and version, and how a damaged file is handled."""

import logging
import sqlite3
import time
from pathlib import Path

from server.videos.errors import DatabaseDamaged, DataDirError, StoreError

log = logging.getLogger("ltx23.videos")

# Fields used in queries have columns; everything else is JSON.
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
# So that no query scans the whole table: a page of one owner's videos, the expired ones, the oldest ones, the
# unfinished ones.
INDEXES = """
CREATE INDEX videos_by_owner ON videos (owner, id);
CREATE INDEX videos_by_end ON videos (completed_at, id, size_bytes) WHERE completed_at IS NOT NULL;
CREATE INDEX videos_unfinished ON videos (id) WHERE completed_at IS NULL;
"""
# The script from each version to the next, starting with an empty file.
MIGRATIONS = (SCHEMA, INDEXES)

# How long a statement waits while another program locks the database.
BUSY_TIMEOUT_S = 5.0


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database for the calling thread; move a damaged file aside and start a new one.

    Raises DataDirError if a newer server wrote it, StoreError if it cannot be opened.
    """
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
