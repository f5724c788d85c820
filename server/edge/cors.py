"""Cross-origin requests from the web pages that the operator allows."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from server.edge.error_body import error_body

# Response headers that a page's script may read. Older browsers do not support a wildcard.
EXPOSED_HEADERS = (
    *("X-LTX-Seed", "X-LTX-Width", "X-LTX-Height", "X-LTX-Frames", "X-LTX-FPS", "X-LTX-Duration", "X-LTX-Adjustments"),
    *("X-Request-ID", "Server-Timing", "Retry-After", "Preference-Applied", "WWW-Authenticate"),
    *("Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges", "ETag"),
)


class Cors(CORSMiddleware):
    """Starlette's CORS for the pages in `origins`. A refused preflight is answered in JSON, like every error.

    Cookies are not used: a page sends an API key like any other client. Client libraries add their own headers
    (`X-Stainless-*`), so every request header is allowed.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE", "OPTIONS"),
            allow_headers=("*",),
            expose_headers=EXPOSED_HEADERS,
            # Lets a public page whose origin is listed use a server on a private network.
            allow_private_network=True,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        detail = f"{bytes(response.body).decode()}: see LTX23_CORS_ORIGINS / --cors-origins."
        headers = {
            name: value
            for name, value in response.headers.items()
            if name == "vary" or name.startswith("access-control-")
        }
        return JSONResponse(error_body(response.status_code, detail), response.status_code, headers)
