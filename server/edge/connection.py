"""One client's connection: uvicorn's HTTP/1.1 protocol with strict framing and a limit on every wait.

The head of a request has a time limit, and the client must read an answer at a minimum speed. BodyLimit limits the
pace of the request's body. When too many connections are open, the one that has been idle longest is closed.
"""

import asyncio
import json
import logging
import socket
import struct
from dataclasses import dataclass
from typing import Any

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from server.edge.error_body import error_body
from server.edge.pace import DEFAULT_PACE, Pace
from server.edge.refusal import RETRY_AFTER_S
from server.edge.security_headers import SECURITY_HEADERS
from server.process.logs import OnceAMinute

log = logging.getLogger("ltx23.connections")
# Otherwise a client that opens many connections would fill the log.
log.addFilter(OnceAMinute())

MAX_HEAD_BYTES = 64 * 1024
# How long a refused client may take to read the reason.
LINGER_S = 1.0
DETAILS = {
    408: "The request's head did not arrive in time.",
    431: f"The request's head should be at most {MAX_HEAD_BYTES} bytes.",
    501: "The only Transfer-Encoding that this server reads is chunked.",
    503: "The server has no room for another connection.",
    505: "This server speaks HTTP/1.1 and HTTP/1.0.",
}
# uvicorn answers only with the statuses that Python names. An endpoint that is recorded may use others, such as 524.
STATUS_PHRASES.update({status: b"" for status in range(200, 600) if status not in STATUS_PHRASES})

NOT_HTTP = "The request is not valid HTTP/1.1."


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits: `head_s` runs from the first byte of a head, and `pace` is the least speed of reading an answer."""

    max_connections: int = 1000
    head_s: float = 20.0
    pace: Pace = DEFAULT_PACE


def cut(scope: Scope) -> None:
    """Close the connection of this request, which ends its answer, or prevents it if nothing was sent yet."""
    scope["state"]["cut"]()


class Connection(H11Protocol):
    """Answer malformed HTTP with an error, and close the connection if the client makes the server wait too long."""

    def __init__(self, *, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self.conn: StrictH11 = StrictH11(h11.SERVER, MAX_HEAD_BYTES)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()
        self._is_refused = False

    @property
    def _is_open(self) -> bool:
        return not (self._is_refused or self.transport.is_closing())

    @property
    def _awaits_request(self) -> bool:
        """Return whether no request is being served: the next one has not arrived, or not completely."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_idle(self) -> bool:
        """Return whether closing the connection loses nothing."""
        return self._awaits_request and self.transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # With 0, pause_writing is called as soon as any byte waits for the client.
        transport.set_write_buffer_limits(high=0)
        self._await_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)
        if self._is_open:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def handle_events(self) -> None:
        """Parse what has arrived. A request's application, which runs later, may cut the connection: see `cut`."""
        super().handle_events()
        if self.scope is not None:
            self.scope["state"]["cut"] = self._cut

    def _cut(self) -> None:
        """Close the connection once everything written so far is sent; the answer stays incomplete."""
        # Otherwise uvicorn would log that, or answer 500 if nothing was sent yet.
        self.cycle.disconnected = True
        self.transport.close()

    def _await_request(self) -> None:
        """Start the timer for a head that has begun or for a silent connection, unless it is already running.

        The rest of a body whose answer has been sent gets as much time as a head.
        """
        if not self._awaits_request:
            self._stop_head_timer()
        elif self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]:
            self._head_timer = self._head_timer or self.loop.call_later(self._limits.head_s, self._refuse, 408)
        else:
            self._stop_head_timer()
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _stop_timers(self) -> None:
        self._stop_head_timer()
        self._stop_reader_timer()
        self._unset_keepalive_if_required()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer a request that could not be parsed. uvicorn calls this after it has logged the error."""
        fault = self.conn.fault
        self._refuse(400 if fault is None else fault.error_status_hint)

    def _refuse(self, status: int) -> None:
        """Answer, then close after a delay: if the socket closed at once, bytes that still arrive would reset it."""
        self._answer(status)
        self._is_refused = True
        self._stop_timers()
        try:
            self.transport.write_eof()
        except OSError:
            # The client has already reset the connection.
            self.transport.abort()
        else:
            self._head_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _answer(self, status: int) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps(error_body(status, DETAILS.get(status, NOT_HTTP))).encode("ascii")
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
                *SECURITY_HEADERS.items(),
                *([("Retry-After", str(RETRY_AFTER_S))] if status == 503 else []),
            ]
            response = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            # The application may be reading the body or about to answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader_timer()

    def _watch_reader(self) -> None:
        unread_bytes = self.transport.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(self._limits.pace.stall_s, self._check_reader, unread_bytes)

    def _check_reader(self, unread_bytes: int) -> None:
        read_bytes = unread_bytes - self.transport.get_write_buffer_size()
        if read_bytes < self._limits.pace.stall_s * self._limits.pace.min_bytes_per_s:
            self._reset()
        else:
            self._watch_reader()

    def _reset(self) -> None:
        """Close the connection and drop everything the client has not read, including the system's buffers."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _make_room(self) -> None:
        if len(self.connections) <= self._limits.max_connections:
            return
        others = [other for other in self.connections if isinstance(other, Connection)]
        others = [other for other in others if other._is_open]
        if len(others) <= self._limits.max_connections:
            return
        log.warning("%d connections are open, and no more are allowed", self._limits.max_connections)
        oldest = min((other for other in others if other.is_idle), key=lambda other: other._idle_since)
        if oldest is self:
            self._answer(503)
        oldest.transport.close()


class StrictH11(h11.Connection):
    """h11, which also refuses what RFC 9112 (6.1) lets a server refuse, and other versions of HTTP."""

    fault: h11.RemoteProtocolError | None = None

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _validate(event)
        except h11.RemoteProtocolError as exc:
            self.fault = exc
            raise
        return event


def _validate(request: h11.Request) -> None:
    if request.http_version not in (b"1.0", b"1.1"):
        raise h11.RemoteProtocolError("another version of HTTP", error_status_hint=505)
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
        raise h11.RemoteProtocolError("where the body ends is not clear", error_status_hint=400)
