"""Spoil an answer while it is sent: cut it, replace it or slow it down. An error of the application is sent whole.

Each function takes the `send` of ASGI and returns another one.
"""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from server.rehearsal.fault import Fault

PAGE = b"<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
# Headers of the clip that are not true of a page.
OF_THE_CLIP = ("content-disposition", "content-range", "accept-ranges", "etag", "last-modified")
PIECES_PER_S = 10

# Closes the connection.
Cut = Callable[[], None]
# Waits for some seconds, and returns whether the client has left meanwhile.
Wait = Callable[[float], Awaitable[bool]]


def spoil(send: Send, fault: Fault, cut: Cut, wait: Wait) -> Send:
    if fault.trickle_bytes_per_s is not None:
        send = trickle(send, fault.trickle_bytes_per_s, wait)
    if fault.drop == "halfway":
        return _only_success(send, cut_short(send, cut, lambda size: size // 2))
    if fault.corrupt == "truncated":
        return _only_success(send, cut_short(send, cut, lambda size: size - max(1, size // 10)))
    if fault.corrupt == "empty":
        return _only_success(send, replace(send, b"", None))
    if fault.corrupt == "html":
        return _only_success(send, replace(send, PAGE, "text/html"))
    return send


def _only_success(send: Send, send_spoilt: Send) -> Send:
    chosen = send

    async def send_either(message: Message) -> None:
        nonlocal chosen
        if message["type"] == "http.response.start":
            chosen = send_spoilt if message["status"] < 300 else send
        await chosen(message)

    return send_either


def cut_short(send: Send, cut: Cut, part_of: Callable[[int], int]) -> Send:
    """Cut the connection after a part of the body. `part_of` turns its size into that of the part.

    The size is that of Content-Length, or of the first piece of a stream, which has none.
    """
    left: int | None = None
    is_cut = False

    async def send_part(message: Message) -> None:
        nonlocal left, is_cut
        if is_cut:
            return
        if message["type"] == "http.response.start":
            declared = Headers(raw=message["headers"]).get("content-length")
            left = None if declared is None else part_of(int(declared))
            await send(message)
            return
        body = message.get("body", b"")
        left = part_of(len(body)) if left is None else left
        await send({"type": "http.response.body", "body": body[:left], "more_body": True})
        left -= len(body)
        if left <= 0 or not message.get("more_body", False):
            is_cut = True
            cut()

    return send_part


def replace(send: Send, body: bytes, media_type: str | None) -> Send:
    """Send `body` in place of the answer's; with a `media_type`, nothing says any more that it was a clip."""
    is_sent = False

    async def send_other(message: Message) -> None:
        nonlocal is_sent
        if message["type"] == "http.response.start":
            message = {**message, "status": 200, "headers": list(message["headers"])}
            headers = MutableHeaders(raw=message["headers"])
            headers["content-length"] = str(len(body))
            if media_type is not None:
                headers["content-type"] = media_type
                for name in OF_THE_CLIP:
                    del headers[name]
            await send(message)
        elif not is_sent:
            is_sent = True
            await send({"type": "http.response.body", "body": body})

    return send_other


def trickle(send: Send, bytes_per_s: int, wait: Wait) -> Send:
    """Send the body in pieces of a tenth of a second or less, and wait after each as long as it should take."""
    piece_bytes = max(1, bytes_per_s // PIECES_PER_S)
    has_left = False

    async def send_pieces(message: Message) -> None:
        nonlocal has_left
        if message["type"] == "http.response.start":
            await send(message)
            return
        body, more_body = message.get("body", b""), message.get("more_body", False)
        for start in range(0, max(1, len(body)), piece_bytes):
            if has_left:
                return
            piece = body[start : start + piece_bytes]
            more = more_body or start + piece_bytes < len(body)
            await send({"type": "http.response.body", "body": piece, "more_body": more})
            has_left = more and await wait(len(piece) / bytes_per_s)

    return send_pieces
