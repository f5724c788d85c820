"""Describe a request as it is recorded and compared."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import Scope

from server.edge.paths import clean_path, route_path
from server.recordings.content import read_content
from server.recordings.exchange import RecordedRequest
from server.recordings.redaction import recorded_query, recorded_request_headers
from server.recordings.spool import Spool


def describe_request(
    scope: Scope, body: Spool, *, root: Path | None = None, is_complete: bool = True
) -> RecordedRequest:
    """Return the request. root: of the recording that its body is saved in. Raises OSError."""
    content_type = Headers(scope=scope).get("content-type", "")
    return RecordedRequest(
        method=scope["method"],
        path=clean_path(route_path(scope)),
        query=recorded_query(scope["query_string"]),
        headers=recorded_request_headers(scope["headers"]),
        body=body.save(root, content_type) if root else None,
        content=read_content(body.read(), content_type),
        is_complete=is_complete,
    )
