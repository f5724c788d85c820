"""`ltx23 replay`: answer from a recording, without a model."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from server.commands.http_server import run_application
from server.process.logs import configure_logging
from server.recordings.errors import RecordingError
from server.recordings.forwarder import Forwarder
from server.recordings.replayer import Replayer
from server.recordings.upstream import Upstream
from server.settings import Settings, SettingsError, load_settings


def replay(folder: Path, on_miss: Literal["error", "forward"], upstream: str | None, **options: Any) -> int:
    configure_logging("WARNING", "text")
    try:
        settings = load_settings(**options)
        if (on_miss == "forward") != (upstream is not None):
            raise RecordingError("--on-miss forward and --upstream URL go together: give both or neither")
        return asyncio.run(_replay(folder, upstream, settings))
    except (SettingsError, RecordingError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


async def _replay(folder: Path, upstream_url: str | None, settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        on_miss = None
        if upstream_url is not None:
            on_miss = Forwarder(await stack.enter_async_context(Upstream(upstream_url)))
        rest = f", and everything else from {upstream_url}" if upstream_url else ""
        await run_application(Replayer(folder, on_miss), settings, f"answers from {folder}{rest}")
    return 0
