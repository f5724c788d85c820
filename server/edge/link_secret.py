"""Keep the secret that signs links in the data folder, so that links survive a restart."""

import hashlib
import secrets
from collections.abc import Iterable
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


def derive_secret(keys: Iterable[str], key_file: Path | None) -> bytes:
    """Return a secret that is the same for the same API keys. Raises SettingsError if the file cannot be read."""
    try:
        from_file = b"" if key_file is None else key_file.read_bytes()
    except OSError as exc:
        raise setting_error("api_keys_file", f"{key_file} cannot be read: {exc.strerror or exc}") from exc
    return hashlib.sha256("\n".join(keys).encode() + from_file).digest()
