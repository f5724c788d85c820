"""GET / and /docs: the playground and the API, pages for people. They load nothing from other hosts."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import fastapi_offline
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from server.answers.clip import MODEL_ID
from server.answers.errors import AsciiJSONResponse
from server.routes.playground import load_playground

router = APIRouter(include_in_schema=False)

PAGES = files("server") / "pages"
SWAGGER_UI = Path(fastapi_offline.__file__).parent / "static"
DOCS_PATHS = {"/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js"}
PLAYGROUND = load_playground()
CLIENT_PATH = "/page/ltx23.js"
OPEN_PATHS = frozenset(
    {"/", CLIENT_PATH, *DOCS_PATHS, *(f"/page/{PLAYGROUND.version}/{name}" for name in PLAYGROUND.files)}
)

DESCRIPTION = "A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video."
# Pictures that are dropped, thumbnails and clips are shown as blob: URLs. lit-html makes its templates in a policy.
HOME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
# Swagger UI has icons as data: URLs and shows rendered clips as blob: URLs.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
# Assets change only with a release.
ASSET = {"Cache-Control": "max-age=3600"}
# The version is part of the address.
VERSIONED = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "models": "/models",
    "generate": "/generate",
    "videos": "/v1/videos",
}


@router.get("/")
async def home(request: Request) -> Response:
    """Return a page for browsers, or JSON for clients that accept JSON and not HTML."""
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        root_path = request.scope["root_path"]
        links = {name: root_path + path for name, path in LINKS.items()}
        return AsciiJSONResponse(
            {"name": MODEL_ID, "description": DESCRIPTION, "links": links}, headers={"Vary": "Accept"}
        )
    return _page(request, "playground/index.html", HOME_POLICY, {"Vary": "Accept"}, page=PLAYGROUND.links)


@router.get(CLIENT_PATH)
async def javascript_client() -> Response:
    """Return the JavaScript client at an address that does not change."""
    client = PLAYGROUND.files["ltx23.js"]
    return Response(client.data, media_type=client.media_type, headers=ASSET)


@router.get("/page/{version}/{name:path}")
async def playground_file(request: Request, version: str, name: str) -> Response:
    file = PLAYGROUND.files.get(name) if version == PLAYGROUND.version else None
    if file is None:
        raise HTTPException(404, "Not Found")
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.gzipped, media_type=file.media_type, headers=VERSIONED | {"Content-Encoding": "gzip"})
    return Response(file.data, media_type=file.media_type, headers=VERSIONED)


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _page(request, "docs.html", DOCS_POLICY)


@router.get("/docs/start.js")
async def docs_script() -> Response:
    return Response((PAGES / "docs.js").read_bytes(), media_type="text/javascript")


@router.get("/docs/swagger-ui-bundle.js")
async def swagger_script() -> Response:
    return FileResponse(SWAGGER_UI / "swagger-ui-bundle.js", media_type="text/javascript", headers=ASSET)


@router.get("/docs/swagger-ui.css")
async def swagger_style() -> Response:
    return FileResponse(SWAGGER_UI / "swagger-ui.css", media_type="text/css", headers=ASSET)


def _page(
    request: Request, name: str, policy: str, headers: Mapping[str, str] | None = None, **values: str
) -> Response:
    template = Template((PAGES / name).read_text(encoding="utf-8"))
    html = template.substitute(values, root_path=escape(request.scope["root_path"]))
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, **(headers or {})})
