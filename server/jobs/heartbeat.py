"""Detect that the other side has been silent for too long. Independent of processes and messages."""

import asyncio

TICKS = 4


class Heartbeat:
    """Counts silence in ticks of this process's own clock.

    If this process itself was suspended, as in a paused container, that counts as one tick however long it lasted, so
    the other side is not blamed for it.
    """

    def __init__(self) -> None:
        self._was_heard = False

    def beat(self) -> None:
        self._was_heard = True

    async def silent_for(self, seconds: float) -> None:
        """Wait until there has been no beat for `seconds`, or up to one tick longer."""
        ticks = 0
        while ticks < TICKS:
            self._was_heard = False
            await asyncio.sleep(seconds / TICKS)
            ticks = 0 if self._was_heard else ticks + 1
