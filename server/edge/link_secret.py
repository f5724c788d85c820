"""Keep the secret that signs links in the data folder, so that links survive a restart."""

import secrets
from contextlib import suppress
from pathlib import Path

from server.settings import setting_error
from weights.disk import replacing

NAME = "link-secret"
SIZE_BYTES = 32


def read_or_create_secret(data_dir: Path) -> bytes:
    """Return this server's secret; only the server's user can read its file. Raises SettingsError.

    A file of the wrong size was cut off by a crash and is replaced; links are too short-lived for that to matter.
    """
    path = data_dir / NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            secret = path.read_bytes()
            if len(secret) == SIZE_BYTES:
                return secret
        return _create(path)
    except OSError as exc:
        raise setting_error("data_dir", f"{path} cannot be read or written: {exc.strerror or exc}") from exc


def _create(path: Path) -> bytes:
    secret = secrets.token_bytes(SIZE_BYTES)
    with replacing(path) as part:
        part.touch(mode=0o600)
        part.write_bytes(secret)
    return secret
