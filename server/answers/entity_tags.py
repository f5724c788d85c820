"""Compare the entity tag of an answer with those that a client has, as RFC 9110 (13.1.2) defines it."""

import re

from fastapi import Request, Response

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def is_known(request: Request, etag: str) -> bool:
    """Return whether the client has this answer already, by its If-None-Match."""
    known = ",".join(request.headers.getlist("if-none-match"))
    return known.strip() == "*" or etag in _TAG.findall(known)


def not_modified(headers: dict[str, str]) -> Response:
    """Return a 304 with the headers that an answer in full would have."""
    return Response(status_code=304, headers=headers)
