"""How the server ends: what runs may finish, everybody else is told, and nothing is left. Knows uvicorn."""

import asyncio
import logging
import socket
from contextlib import suppress
from types import FrameType

import uvicorn

from server.engine import Engine

log = logging.getLogger("ltx23.serve")

# For the last answers, once every job has ended and the grace is over: who does not read them by then never will.
CLOSING_S = 5.0


class DrainingServer(uvicorn.Server):
    """Told to stop, it takes no more jobs and still answers, 503 for those, until the running ones have ended.

    After `drain_s`, or once it is told again, these end too, with a 503 for their clients, where uvicorn would cancel
    their requests.
    """

    def __init__(self, config: uvicorn.Config, drain_s: float) -> None:
        super().__init__(config)
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told_again = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """uvicorn's own answer to a second signal would leave the workers and their files behind."""
        if self.should_exit and self._loop is not None:
            self._loop.call_soon_threadsafe(self._told_again.set)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        engine: Engine = self.lifespan.state["engine"]
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._drain_s
        await self._drain(engine)
        engine.stop()
        hang_up = asyncio.create_task(self._hang_up(max(CLOSING_S, end_s - loop.time())))
        try:
            await super().shutdown(sockets)
        finally:
            hang_up.cancel()
            self._loop = None

    async def _drain(self, engine: Engine) -> None:
        engine.drain()
        running = engine.dispatcher.status.running
        if running:
            log.warning("stopping once the clips that are being rendered are done (%d); told again, at once", running)
        ended = asyncio.create_task(engine.dispatcher.stopped())
        told_again = asyncio.create_task(self._told_again.wait())
        await asyncio.wait({ended, told_again}, timeout=self._drain_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, told_again):
            task.cancel()

    async def _hang_up(self, closing_s: float) -> None:
        """On who does not read its answer: after a while, or once the server is told again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(closing_s):
                await self._told_again.wait()
                # What the jobs that were just ended are answered is on its way.
                await asyncio.sleep(1)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
