"""The least speed at which a client must send a body and read an answer."""

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive


@dataclass(frozen=True)
class Pace:
    """The longest pause (`stall_s`) and, over a longer time, the least speed (`min_bytes_per_s`)."""

    stall_s: float = 30.0
    min_bytes_per_s: float = 1000.0


DEFAULT_PACE = Pace()


class PacedBody:
    """The body of one request. Only the time that the application spends waiting for it counts."""

    def __init__(self, receive: Receive, pace: Pace) -> None:
        self._receive, self._pace = receive, pace
        self._waited_s, self._bytes, self._is_complete = 0.0, 0, False

    async def receive(self) -> Message:
        """Return the next message. Raises TimeoutError if the client is too slow."""
        if self._is_complete:
            # The next message is the disconnect, which may be hours away.
            return await self._receive()
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        left_s = self._pace.stall_s + self._bytes / self._pace.min_bytes_per_s - self._waited_s
        async with asyncio.timeout(min(left_s, self._pace.stall_s)):
            message = await self._receive()
        self._waited_s += loop.time() - began_at
        self._bytes += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        return message
