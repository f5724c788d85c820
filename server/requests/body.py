"""Read the body of a request as fields, for every route: JSON, or an equivalent form."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header

from server.contract.adjustments import Adjustment
from server.contract.errors import RequestInvalid
from server.contract.parsing.form import Fields, parse_multipart, parse_urlencoded, read_form
from server.contract.parsing.json_body import parse_body

FORM_TYPES = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
# Types that clients declare for JSON. A body of another type gets 415 instead of an error about invalid JSON.
JSON_TYPES = FORM_TYPES | {"", "application/json", "text/json", "text/plain", "application/octet-stream"}
_MEDIA_TYPE = re.compile(r"[a-z0-9.+_-]{1,60}/[a-z0-9.+_-]{1,60}")
_JSON_START_BYTES = 1024


class UnsupportedMediaType(Exception):
    """The body is neither JSON nor a form."""


@dataclass(frozen=True)
class RequestBody:
    """The body of a request.

    digest: equal for equal requests, whatever their framing. adjustments: those made while the body was read.
    """

    fields: dict[str, Any]
    digest: bytes
    adjustments: tuple[Adjustment, ...] = ()


async def read_body(request: Request) -> RequestBody:
    """Read and parse the body. Raises RequestInvalid, UnsupportedMediaType or ClientDisconnect."""
    # Not `request.body()`, which keeps the bytes until the request ends, perhaps after a whole render.
    body = b"".join([chunk async for chunk in request.stream()])
    # Off the event loop, because a body may be megabytes of base64.
    return await asyncio.to_thread(_read, body, request.headers.get("content-type", ""))


def _read(body: bytes, content_type: str) -> RequestBody:
    name, options = parse_options_header(content_type)
    media_type = name.decode("latin-1")
    if media_type in FORM_TYPES and not _looks_like_json(body):
        fields = _read_fields(body, media_type, options.get(b"boundary", b""))
        return RequestBody(read_form(fields), _digest_fields(fields))
    try:
        return RequestBody(parse_body(body), hashlib.sha256(body).digest())
    except RequestInvalid as exc:
        if media_type in JSON_TYPES or media_type.endswith("+json"):
            raise
        shown = media_type if _MEDIA_TYPE.fullmatch(media_type) else "of another type"
        raise UnsupportedMediaType(
            f"The body is {shown}, and this server reads JSON and forms: send application/json, multipart/form-data or "
            "application/x-www-form-urlencoded."
        ) from exc


def _looks_like_json(body: bytes) -> bool:
    """Return whether a body sent as a form is JSON: `curl -d` declares application/x-www-form-urlencoded by default."""
    start = body[:_JSON_START_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return not start or start.startswith((b"{", b"["))


def _read_fields(body: bytes, media_type: str, boundary: bytes) -> Fields:
    if media_type == "application/x-www-form-urlencoded":
        return parse_urlencoded(body)
    if not boundary:
        raise RequestInvalid.at((), "The Content-Type of the form should name its boundary", "form_invalid")
    return parse_multipart(body, boundary)


def _digest_fields(fields: Fields) -> bytes:
    """Hash the fields without the boundary, which differs each time."""
    digest = hashlib.sha256()
    for name, text in fields:
        for part in (name, text):
            digest.update(hashlib.sha256(part.encode()).digest())
    return digest.digest()
