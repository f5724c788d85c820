from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from server.edge.security_headers import SecurityHeaders

Connect = Callable[..., Any]


async def embeddable(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(None, headers={"x-frame-options": "SAMEORIGIN"})(scope, receive, send)


def test_answers_have_the_headers_and_routes_may_override_them(http: Connect) -> None:
    headers = http(SecurityHeaders(embeddable)).get("/", headers={"Origin": "https://page"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert not any(name.startswith("access-control-") for name in headers)
