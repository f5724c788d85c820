"""Limits on the size of one request body, on the size of all bodies together, and on the speed of a body."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.pace import DEFAULT_PACE, Pace, PacedBody
from server.edge.refusal import DEFAULT_LINGER, RETRY_AFTER_S, Linger, Refusal


@dataclass(frozen=True)
class BodyLimits:
    """The limits. `max_total_bytes` covers the bodies of all requests in progress."""

    max_bytes: int
    max_total_bytes: int = 512 * 2**20
    pace: Pace = DEFAULT_PACE


class BodyLimit:
    """Answer 413, 503 or 408 if the body breaks `limits`, according to its Content-Length or while it is read.

    A body's bytes count until its request is answered, because what is made from them is kept that long.

    If the application is reading when a limit is crossed, it is unwound by an exception that `except Exception` does
    not catch. If it has already begun to answer, the remaining bytes are withheld and the body ends as if the client
    had left.
    """

    def __init__(self, app: ASGIApp, limits: BodyLimits, linger: Linger = DEFAULT_LINGER) -> None:
        self._app = app
        self._limits = limits
        self._refusals = _refusals(limits, linger)
        self._held = _HeldBytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared_bytes = _declared_bytes(scope)
        if declared_bytes > self._limits.max_bytes:
            await self._refusals.too_large(scope, receive, send)
        elif self._held.count + declared_bytes > self._limits.max_total_bytes:
            await self._refusals.too_many(scope, receive, send)
        else:
            await self._measure(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _MeasuredExchange(receive, send, self._limits, self._refusals, self._held)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except* _BodyRefused:
            pass
        finally:
            exchange.release()
        if exchange.answer is not None:
            await exchange.answer(scope, _prepend(exchange.crossing, receive), send)


@dataclass(frozen=True)
class _Refusals:
    too_large: Refusal
    too_many: Refusal
    too_slow: Refusal


@dataclass
class _HeldBytes:
    """The bytes of the bodies of all requests in progress."""

    count: int = 0


class _BodyRefused(BaseException):
    """Ends the reading of a body. An Exception would be turned into an answer by the frameworks."""


class _MeasuredExchange:
    """One request whose body is counted.

    answer: the refusal, if the body crossed a limit before the application began to answer.
    crossing: the message that crossed the limit, without its bytes.
    """

    def __init__(self, receive: Receive, send: Send, limits: BodyLimits, refusals: _Refusals, held: _HeldBytes) -> None:
        self._body, self._send = PacedBody(receive, limits.pace), send
        self._limits, self._refusals, self._held = limits, refusals, held
        self._body_bytes = 0
        self._is_answering, self._is_refused = False, False
        self.answer: Refusal | None = None
        self.crossing: Message | None = None

    async def receive(self) -> Message:
        try:
            message = await self._body.receive()
        except TimeoutError:
            return self._refuse(self._refusals.too_slow, None)
        refusal = self._count(len(message.get("body", b"")))
        return message if refusal is None else self._refuse(refusal, message)

    async def send(self, message: Message) -> None:
        if self.answer is None:
            self._is_answering = True
            await self._send(message)

    def release(self) -> None:
        self._held.count -= self._body_bytes

    def _count(self, size_bytes: int) -> Refusal | None:
        self._body_bytes += size_bytes
        self._held.count += size_bytes
        if self._body_bytes > self._limits.max_bytes:
            return self._refusals.too_large
        if self._is_refused or self._held.count > self._limits.max_total_bytes:
            return self._refusals.too_many
        return None

    def _refuse(self, refusal: Refusal, message: Message | None) -> Message:
        self._is_refused = True
        more_body = message is not None and message.get("more_body", False)
        withheld: Message = {"type": "http.request", "body": b"", "more_body": more_body}
        if not self._is_answering:
            self.answer, self.crossing = refusal, None if message is None else withheld
            raise _BodyRefused
        return withheld if more_body else {"type": "http.disconnect"}


def _refusals(limits: BodyLimits, linger: Linger) -> _Refusals:
    retry_after = (b"retry-after", str(RETRY_AFTER_S).encode("ascii"))
    pace = f"nothing for {limits.pace.stall_s:g} s, or less than {limits.pace.min_bytes_per_s:g} bytes a second"
    return _Refusals(
        too_large=Refusal(
            413, f"The request body is larger than the limit of {limits.max_bytes} bytes.", linger=linger
        ),
        too_many=Refusal(
            503,
            "The bodies of other requests take all the memory there is for bodies.",
            (retry_after,),
            linger,
        ),
        # The client has stopped sending: do not wait for it again.
        too_slow=Refusal(408, f"The request body came too slowly: {pace}.", linger=Linger(total_s=0)),
    )


def _declared_bytes(scope: Scope) -> int:
    try:
        return int(Headers(scope=scope).get("content-length", "0"))
    except ValueError:
        return 0


def _prepend(message: Message | None, receive: Receive) -> Receive:
    messages = [] if message is None else [message]

    async def receive_prepended() -> Message:
        return messages.pop() if messages else await receive()

    return receive_prepended
