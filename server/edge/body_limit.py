"""The largest request body the application is shown. Knows sizes, not content."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.refusal import DEFAULT_LINGER, Linger, Refusal


class BodyLimit:
    """Answers 413 to a request whose body is larger than `max_bytes`, by its Content-Length or as it is read.

    An application that is reading when the limit is crossed is unwound by an exception that `except Exception` does not
    catch. If it has begun to answer by then, the rest is withheld, and the body ends as if the client had left.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, linger: Linger = DEFAULT_LINGER) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refuse = Refusal(413, f"The request body is larger than the limit of {max_bytes} bytes.", linger=linger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared_bytes(scope) > self._max_bytes:
            await self._refuse(scope, receive, send)
        else:
            await self._measure(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _MeasuredExchange(receive, send, self._max_bytes)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except* _BodyTooLarge:
            pass
        if exchange.crossing is not None:
            await self._refuse(scope, _prepend(exchange.crossing, receive), send)


class _BodyTooLarge(BaseException):
    """Not an Exception: frameworks turn those into answers of their own."""


class _MeasuredExchange:
    """`crossing` is the message that crossed the limit before any answer had begun, without its bytes."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left_bytes = max_bytes
        self._is_answering = False
        self.crossing: Message | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes >= 0:
            return message
        more_body = message.get("more_body", False)
        withheld = {"type": "http.request", "body": b"", "more_body": more_body}
        if not self._is_answering:
            self.crossing = withheld
            raise _BodyTooLarge
        return withheld if more_body else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.crossing is None:
            self._is_answering = True
            await self._send(message)


def _declared_bytes(scope: Scope) -> int:
    try:
        return int(Headers(scope=scope).get("content-length", "0"))
    except ValueError:
        return 0


def _prepend(message: Message, receive: Receive) -> Receive:
    messages = [message]

    async def receive_prepended() -> Message:
        return messages.pop() if messages else await receive()

    return receive_prepended
