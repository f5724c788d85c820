"""The addresses of the server and of its videos."""

import os
from urllib.parse import quote, urlsplit

from ltx23_client.errors import InputError

VIDEOS = "v1/videos"
DEFAULT_SERVER = "http://127.0.0.1:8000"
SERVER_VARIABLE, KEY_VARIABLE = "LTX23_SERVER", "LTX23_API_KEY"


def video_path(video_id: str, *rest: str) -> str:
    return "/".join([VIDEOS, quote(video_id, safe=""), *rest])


def server_address(base_url: str | None) -> str:
    """Return the address of the server with a slash at its end. Raises InputError.

    The address that OpenAI's clients use, which ends in /v1, is taken, too.
    """
    address = base_url or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
    address = address if "://" in address else f"http://{address}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        name = "base_url" if base_url else SERVER_VARIABLE
        raise InputError(name, f"should be the address of a server, such as {DEFAULT_SERVER}, got {address!r}")
    return address.rstrip("/").removesuffix("/v1") + "/"


def api_key_headers(api_key: str | None) -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE, "").strip() if api_key is None else api_key
    if not key:
        return {}
    if not key.isascii() or not key.isprintable():
        raise InputError("api_key" if api_key else KEY_VARIABLE, "should be visible ASCII characters")
    return {"Authorization": f"Bearer {key}"}
