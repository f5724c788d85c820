"""How long nothing was heard of somebody. Knows no process and no messages."""

import asyncio

TICKS = 4


class Heartbeat:
    """Beats are awaited in ticks of this program's own clock: where it stood still itself, as in a paused container,
    that was one tick, whatever it lasted, and nobody else is blamed for it.
    """

    def __init__(self) -> None:
        self._was_heard = False

    def beat(self) -> None:
        self._was_heard = True

    async def silent_for(self, seconds: float) -> None:
        """Until nothing was heard for so long, or a tick longer."""
        ticks = 0
        while ticks < TICKS:
            self._was_heard = False
            await asyncio.sleep(seconds / TICKS)
            ticks = 0 if self._was_heard else ticks + 1
