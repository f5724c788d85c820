"""Download a file of a video. What has arrived before a cut is kept, and the rest is asked for."""

from ltx23_client.actions import Request, Response, Steps, close, open_body, read
from ltx23_client.errors import APIError, ConnectionFailed
from ltx23_client.retries import Patience, Policy, exchange
from ltx23_client.routes import video_path

# The types of clips, and of thumbnails and sheets; a proxy's page has another one.
TYPES = ("video/", "image/")
RANGE_OUTSIDE = 416


def download(policy: Policy, video_id: str, variant: str, size_bytes: int | None = None) -> Steps[bytes]:
    """Return the file. size_bytes: its size, if that is known. Raises APIError, ConnectionFailed."""
    patience = Patience(policy)
    data, tag = bytearray(), ""
    while True:
        request = Request("GET", video_path(video_id, "content"), {"variant": variant}, _headers(len(data), tag))
        try:
            response = yield from exchange(policy, request, attempt=open_body, patience=patience)
        except APIError as exc:
            if exc.status != RANGE_OUTSIDE:
                raise
            # The file has been replaced by a shorter one.
            data, tag = bytearray(), ""
            continue
        had = len(data)
        try:
            if response.status != 206:
                data.clear()
            tag = response.headers.get("etag", "")
            yield from _receive(response, data)
            if size_bytes in (None, len(data)) and data:
                return bytes(data)
            failure = ConnectionFailed(f"{len(data)} of the {size_bytes or 'unknown'} bytes of {video_id} arrived")
            data.clear()
        except ConnectionFailed as exc:
            failure = exc
            if len(data) > had:
                patience.renew()
        yield from patience.pause(failure)


def _receive(response: Response, data: bytearray) -> Steps[None]:
    kind = response.headers.get("content-type", "no type")
    try:
        if not kind.startswith(TYPES):
            raise ConnectionFailed(f"the answer is {kind} instead of a file: from a proxy, or the address is wrong")
        while piece := (yield from read(response)):
            data += piece
    finally:
        yield from close(response)


def _headers(received_bytes: int, tag: str) -> dict[str, str]:
    # A range of a compressed body would be another one.
    headers = {"Accept-Encoding": "identity"}
    if received_bytes and tag:
        headers |= {"Range": f"bytes={received_bytes}-", "If-Range": tag}
    return headers
