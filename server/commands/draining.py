"""Stop a uvicorn server: let running clips finish, answer the other clients, and leave nothing behind."""

import asyncio
import logging
import math
import socket
from contextlib import suppress
from types import FrameType

import uvicorn

from server.process.descriptors import log_accept_error
from server.services import Services

log = logging.getLogger("ltx23.serve")

# For answers to clips that have just ended, in addition to `drain_s`.
CLOSING_S = 5.0
# For answers that are being sent when no clip was running, or after a second signal.
QUICK_CLOSING_S = 0.3
# For the answers to clips that a second signal ended; a busy machine takes a while to send them.
ANSWERING_S = 2.0
# For requests to notice that their connection is closed, before they are cancelled.
UNWINDING_S = 0.5


class DrainingServer(uvicorn.Server):
    """A server that finishes its running clips after a stop signal, and answers new jobs with 503 meanwhile.

    After `drain_s`, or at a second signal, the remaining clips end too and their clients get a 503; uvicorn alone would
    cancel those requests. Connections that are still open are then closed. If no clip was running, this happens at
    once.
    """

    def __init__(self, config: uvicorn.Config, drain_s: float) -> None:
        super().__init__(config)
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._second_signal = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a second signal. uvicorn's own handling of it would leave the workers and their files behind."""
        if self.should_exit and self._loop is not None:
            self._loop.call_soon_threadsafe(self._second_signal.set)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(log_accept_error)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services: Services = self.lifespan.state["services"]
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._drain_s
        had_clips = services.dispatcher.status.running > 0
        await self._drain(services)
        services.stop()
        closing_s = max(CLOSING_S, end_s - loop.time()) if had_clips else QUICK_CLOSING_S
        self.config.timeout_graceful_shutdown = math.ceil(closing_s + 2 * UNWINDING_S)
        closing = asyncio.create_task(self._close_connections(closing_s))
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()
            self._loop = None

    async def _drain(self, services: Services) -> None:
        services.drain()
        running = services.dispatcher.status.running
        if running:
            log.warning("stopping once the clips that are being rendered are done (%d); told again, at once", running)
        ended = asyncio.create_task(services.dispatcher.stopped())
        second_signal = asyncio.create_task(self._second_signal.wait())
        await asyncio.wait({ended, second_signal}, timeout=self._drain_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, second_signal):
            task.cancel()

    async def _close_connections(self, closing_s: float) -> None:
        """Close the open connections after `closing_s` or a second signal, then cancel the requests that still run."""
        with suppress(TimeoutError):
            async with asyncio.timeout(closing_s):
                await self._second_signal.wait()
                # The answers to the jobs that were just ended are being sent.
                await asyncio.sleep(ANSWERING_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(UNWINDING_S)
        for request in list(self.server_state.tasks):
            request.cancel()
