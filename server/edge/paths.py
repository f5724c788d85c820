"""Request paths: clean them before routing, and tell the part below a proxy's prefix."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")


class CleanPaths:
    """Serves `/generate/` and `//generate` as `/generate`, without a redirect, and puts every path below its prefix.

    A redirect would lose the body or the key in many clients, and name `http://` behind a proxy that ends TLS. The
    prefix is `scope["root_path"]` if a proxy sent one, else `root_path`. It makes no difference whether the proxy
    removes the prefix from the path.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root_path = scope.get("root_path") or self._root_path
            route = _below(clean_path(scope["path"]), root_path)
            # ASGI: `path` includes `root_path`.
            scope = {**scope, "root_path": root_path, "path": root_path + route}
        await self._app(scope, receive, send)


def clean_path(path: str) -> str:
    """Collapse repeated slashes and remove a trailing one."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def route_path(scope: Scope) -> str:
    """Return the path that routes are matched against: without the prefix."""
    return _below(scope["path"], scope.get("root_path", ""))


def _below(path: str, root_path: str) -> str:
    if path == root_path or path.startswith(f"{root_path}/"):
        return path.removeprefix(root_path) or "/"
    return path
