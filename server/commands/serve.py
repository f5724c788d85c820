"""`ltx23 serve`: run the application on a socket and announce its progress on the terminal."""

import gc
import logging
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from server.app import create_app
from server.commands.announce import Announcer
from server.commands.devices import resolve_devices
from server.commands.draining import DrainingServer
from server.commands.http_server import create_http_config, exit_quietly_on_signals, listen
from server.commands.standard_input import stop_with_stdin
from server.commands.weight_names import choose_weights, missing_names, validate_present, with_paths
from server.configure import lora_catalog
from server.edge.key_ring import KeyRingError
from server.fetching.fetcher import PROGRAM, Fetcher
from server.jobs.workspace import Workspace
from server.process.heap import keep_one_heap
from server.process.logs import configure_logging
from server.settings import Settings, SettingsError, load_settings
from server.videos.data_dir import DataDir
from server.videos.database import open_database
from server.videos.errors import DataDirError, StoreError
from server.worker.messages import FromWorker, LoadFailed
from weights.errors import WeightsError
from weights.registry import REGISTRY, Registry


def serve(registry: Registry = REGISTRY, fetch_program: Sequence[str] = PROGRAM, **options: Any) -> int:
    """Run the server until it is stopped. Tests use a smaller registry, and a program that fetches from it."""
    keep_one_heap()
    try:
        settings, fetcher = resolve_weights(load_settings(**options), registry, fetch_program)
        settings = resolve_devices(settings)
        configure_logging(settings.log_level, settings.log_format)
        _validate_temp_dir(settings)
        _validate_data_dir(settings)
        lora_catalog(settings)
        with listen(settings) as listener:
            return _run(settings, listener, fetcher)
    except (SettingsError, WeightsError, KeyRingError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


def resolve_weights(
    settings: Settings, registry: Registry, fetch_program: Sequence[str]
) -> tuple[Settings, Fetcher | None]:
    """Return the settings with paths instead of names, and what fetches the missing files if the settings ask for it.

    Raises SettingsError.
    """
    chosen = choose_weights(settings, registry)
    if not settings.pull:
        validate_present(settings, chosen, registry)
    missing = missing_names(settings, chosen)
    return with_paths(settings, chosen), Fetcher(settings, missing, fetch_program) if missing else None


def _validate_temp_dir(settings: Settings) -> None:
    try:
        Workspace(settings.temp_dir).close()
    except OSError as exc:
        raise SettingsError(
            f"LTX23_TEMP_DIR / --temp-dir: {settings.temp_dir or 'the system temporary folder'} cannot be written to: "
            f"{exc.strerror or exc}"
        ) from exc


def _validate_data_dir(settings: Settings) -> None:
    try:
        data_dir = DataDir(settings.data_dir)
        with closing(data_dir):
            _validate_videos(settings, data_dir)
    except (DataDirError, StoreError) as exc:
        raise SettingsError(f"LTX23_DATA_DIR / --data-dir: {exc}") from exc


def _validate_videos(settings: Settings, data_dir: DataDir) -> None:
    open_database(data_dir.database).close()
    if settings.deterministic_time and data_dir.has_videos:
        raise DataDirError(
            f"{settings.data_dir} has videos of an earlier run, and with LTX23_DETERMINISTIC_TIME / "
            "--deterministic-time their ids would come again; choose an empty folder"
        )


def _run(settings: Settings, listener: socket.socket, fetcher: Fetcher | None) -> int:
    announcer = Announcer(settings, listener.getsockname()[1])
    failed = False

    def on_event(event: FromWorker) -> None:
        nonlocal failed
        announcer(event)
        if isinstance(event, LoadFailed) and not announcer.was_ready:
            # Nothing was ever served: end the server, which could only answer 503.
            failed = server.should_exit = True

    app = create_app(settings, on_event, fetcher=fetcher)
    config = create_http_config(app, settings, date_header=not settings.deterministic_time)
    # uvicorn says "running" long before the model is loaded; the announcer reports that instead.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    server = DrainingServer(config, settings.drain_s)
    announcer.start()
    exit_quietly_on_signals(server)
    if settings.stop_with_stdin:
        stop_with_stdin(server)
    server.run(sockets=[listener])
    # Otherwise the interpreter's last garbage collection takes half a second.
    gc.freeze()
    return 1 if failed else 0
