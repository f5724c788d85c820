"""API keys: which ones there are, and how a request presents one. Holds digests, never the keys."""

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.refusal import DEFAULT_LINGER, Linger, Refusal

OPEN_PATHS = frozenset({"/health", "/livez", "/openapi.json"})

# What a header carries unchanged in all three spellings.
_KEY = re.compile(r"[!-~]+")
_KEY_ID_DIGITS = 8


class KeyRingError(ValueError):
    """A key that no request could present, or a key file without usable keys. Never shows a key."""


class KeyRing:
    """The keys that open the server; an empty ring opens it to all.

    `key_file` holds one key a line; blank lines and lines starting with # are skipped.
    """

    def __init__(self, keys: Collection[str] = (), key_file: Path | None = None) -> None:
        if isinstance(keys, str):
            raise TypeError("keys is a collection of keys, not one key")
        digests = [_digest(key, f"API key {number}") for number, key in enumerate(keys, 1)]
        if key_file is not None:
            digests += [_digest(key, f"Key file {key_file}, line {line}") for line, key in _read_key_file(key_file)]
        self._digests = tuple(dict.fromkeys(digests))

    def __len__(self) -> int:
        return len(self._digests)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"

    def identify(self, key: bytes) -> str | None:
        """The id of a key on the ring (the start of its digest, fit for logs), in a time that does not tell which."""
        presented = hashlib.sha256(key).digest()
        matches = [digest for digest in self._digests if hmac.compare_digest(digest, presented)]
        return matches[0].hex()[:_KEY_ID_DIGITS] if matches else None


class ApiKeys:
    """Lets a request pass with a key of the ring, and answers 401 to others; sets `scope["state"]["key_id"]`.

    Accepts `Authorization: Bearer KEY`, `Authorization: KEY` and `x-api-key: KEY`. CORS preflights, which browsers send
    without credentials, pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        key_ring: KeyRing,
        open_paths: Collection[str] = OPEN_PATHS,
        linger: Linger = DEFAULT_LINGER,
    ) -> None:
        self._app = app
        self._key_ring = key_ring
        self._open_paths = frozenset(open_paths)
        self._refuse_missing = _unauthorized("An API key is required: Authorization: Bearer KEY.", linger)
        self._refuse_wrong = _unauthorized("The API key is not valid.", linger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        presented = list(_presented_keys(headers))
        key_id = self._identify_any(presented)
        scope.setdefault("state", {})["key_id"] = key_id
        if key_id is not None or self._is_open(scope, headers):
            await self._app(scope, receive, send)
        elif presented:
            await self._refuse_wrong(scope, receive, send)
        else:
            await self._refuse_missing(scope, receive, send)

    def _identify_any(self, keys: Iterable[bytes]) -> str | None:
        key_ids = [self._key_ring.identify(key) for key in keys]
        return next((key_id for key_id in key_ids if key_id is not None), None)

    def _is_open(self, scope: Scope, headers: Headers) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return len(self._key_ring) == 0 or path in self._open_paths or _is_preflight(scope, headers)


def _presented_keys(headers: Headers) -> Iterator[bytes]:
    for value in headers.getlist("authorization"):
        scheme, _, rest = value.strip().partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else value.strip()
        yield key.encode("latin-1")
    for value in headers.getlist("x-api-key"):
        yield value.strip().encode("latin-1")


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def _unauthorized(detail: str, linger: Linger) -> Refusal:
    return Refusal(401, detail, headers=((b"www-authenticate", b"Bearer"),), linger=linger)


def _digest(key: str, origin: str) -> bytes:
    if not _KEY.fullmatch(key):
        raise KeyRingError(f"{origin}: a key is made of visible ASCII characters, without spaces")
    return hashlib.sha256(key.encode("ascii")).digest()


def _read_key_file(path: Path) -> list[tuple[int, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as exc:
        raise KeyRingError(f"Key file {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise KeyRingError(f"Key file {path} is not text") from exc
    stripped = ((number, line.strip()) for number, line in enumerate(lines, 1))
    keys = [(number, line) for number, line in stripped if line and not line.startswith("#")]
    if not keys:
        raise KeyRingError(f"Key file {path} has no keys")
    return keys
