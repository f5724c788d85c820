"""`ltx23 record`: stand between a client and an endpoint, and write what passes into a folder."""

import asyncio
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from server.commands.http_server import run_application
from server.process.logs import configure_logging
from server.recordings.errors import RecordingError
from server.recordings.folder import RecordingFolder
from server.recordings.recorder import Recorder
from server.recordings.upstream import Upstream
from server.settings import Settings, SettingsError, load_settings


def record(to: Path, upstream: str, **options: Any) -> int:
    configure_logging("WARNING", "text")
    try:
        settings = load_settings(**options)
        return asyncio.run(_record(to, Upstream(upstream), settings))
    except (SettingsError, RecordingError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


async def _record(to: Path, upstream: Upstream, settings: Settings) -> int:
    with closing(RecordingFolder(to)) as folder:
        async with upstream:
            await run_application(Recorder(upstream, folder), settings, f"records {upstream} into {to}")
    return 0
