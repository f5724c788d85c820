"""The middleware that asks for API keys, and the ways in which a request presents one."""

from collections.abc import Collection, Iterable, Iterator

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.key_ring import KeyRing
from server.edge.paths import route_path
from server.edge.refusal import DEFAULT_LINGER, Linger, Refusal
from server.edge.signed_links import LinkError, SignedLinks, is_signed

OPEN_PATHS = frozenset({"/health", "/livez", "/openapi.json"})


class ApiKeys:
    """Let a request with a valid key pass, and answer 401 to others. Sets `scope["state"]["key_id"]`.

    A key is sent as `Authorization: Bearer KEY`, `Authorization: KEY` or `x-api-key: KEY`. A GET or HEAD may present a
    signed link instead. It counts as the key that it was made with, and `state["link_expires"]` is its expiry. CORS
    preflights pass, because browsers send them without credentials.
    """

    def __init__(
        self,
        app: ASGIApp,
        key_ring: KeyRing,
        open_paths: Collection[str] = OPEN_PATHS,
        links: SignedLinks | None = None,
        linger: Linger = DEFAULT_LINGER,
    ) -> None:
        self._app = app
        self._key_ring = key_ring
        self._open_paths = frozenset(open_paths)
        self._links = links
        self._linger = linger
        self._refuse_missing = _unauthorized("An API key is required: Authorization: Bearer KEY.", linger)
        self._refuse_wrong = _unauthorized("The API key is not valid.", linger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._admit(scope)
        await answer(scope, receive, send)

    def _admit(self, scope: Scope) -> ASGIApp:
        """Return the application, or a refusal if the request may not pass."""
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        presented = list(presented_keys(headers))
        state["key_id"] = self._identify_any(presented)
        if state["key_id"] is not None or self._is_open(scope, headers):
            return self._app
        if self._links is not None and scope["method"] in ("GET", "HEAD") and is_signed(scope["query_string"]):
            try:
                state["key_id"], state["link_expires"] = self._links.verify(
                    route_path(scope), scope["query_string"], self._key_ring.key_ids()
                )
            except LinkError as exc:
                return _unauthorized(str(exc), self._linger)
            return self._app
        return self._refuse_wrong if presented else self._refuse_missing

    def _is_open(self, scope: Scope, headers: Headers) -> bool:
        return len(self._key_ring) == 0 or route_path(scope) in self._open_paths or _is_preflight(scope, headers)

    def _identify_any(self, keys: Iterable[bytes]) -> str | None:
        key_ids = [self._key_ring.identify(key) for key in keys]
        return next((key_id for key_id in key_ids if key_id is not None), None)


def presented_keys(headers: Headers) -> Iterator[bytes]:
    """Yield every key that a request presents in a header."""
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
