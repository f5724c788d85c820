"""GET / and /docs: pages for people. They load nothing from other hosts."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from server.answers.clip import MODEL_ID
from server.answers.errors import AsciiJSONResponse

router = APIRouter(include_in_schema=False)

PAGES = files("server") / "pages"
SWAGGER_UI = Path(fastapi_offline.__file__).parent / "static"
OPEN_PATHS = frozenset({"/", "/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js"})

DESCRIPTION = "A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video."
HOME_POLICY = "default-src 'none'; img-src data:; base-uri 'self'; frame-ancestors 'none'"
# Swagger UI has icons as data: URLs and shows rendered clips as blob: URLs.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
# Assets change only with a release.
ASSET = {"Cache-Control": "max-age=3600"}
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
    return _page(request, "home.html", HOME_POLICY, {"Vary": "Accept"})


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


def _page(request: Request, name: str, policy: str, headers: Mapping[str, str] | None = None) -> Response:
    template = Template((PAGES / name).read_text(encoding="utf-8"))
    html = template.substitute(root_path=escape(request.scope["root_path"]))
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, **(headers or {})})
