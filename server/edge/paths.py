"""Clean request paths before routing, and find the part below a proxy's prefix."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")


class CleanPaths:
    """Serve `/generate/` and `//generate` as `/generate`, without a redirect, and put every path below its prefix.

    With a redirect, many clients would lose the body or the key, and behind a proxy that ends TLS it would name
    `http://`. The prefix is `scope["root_path"]` if a proxy sent one, otherwise `root_path`. The proxy may or may not
    remove the prefix from the path.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root_path = scope.get("root_path") or self._root_path
            route = _below(clean_path(scope["path"]), root_path)
            # In ASGI, `path` includes `root_path`.
            scope = {**scope, "root_path": root_path, "path": root_path + route}
        await self._app(scope, receive, send)


def clean_path(path: str) -> str:
    """Collapse repeated slashes and remove a trailing one."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def route_path(scope: Scope) -> str:
    """Return the path that is matched against the routes: the path without the prefix."""
    return _below(scope["path"], scope.get("root_path", ""))


def _below(path: str, root_path: str) -> str:
    if path == root_path or path.startswith(f"{root_path}/"):
        return path.removeprefix(root_path) or "/"
    return path
