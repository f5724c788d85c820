"""The previews of a job, for those who watch it render. Independent of transport."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# How long a viewer who asked once is taken to look on.
LINGER_S = 10.0


@dataclass(frozen=True)
class Preview:
    """The clip as it was after a step of a stage. data: an animated WebP."""

    stage: str
    step: int
    steps: int
    data: bytes = field(repr=False)


class PreviewFeed:
    """The newest preview of a job. Tells its listener when the first viewer comes and when the last one leaves."""

    def __init__(self) -> None:
        self._value: Preview | None = None
        self._viewers = 0
        self._lingering: asyncio.TimerHandle | None = None
        self._listener: Callable[[bool], None] | None = None
        self._has_ended = False
        self._changed = asyncio.Event()

    @property
    def value(self) -> Preview | None:
        return self._value

    def set(self, preview: Preview) -> None:
        self._value = preview
        self._wake()

    def end(self) -> None:
        """Let nobody wait for a preview any more: there will be no further one. The last one stays."""
        self._has_ended = True
        self._wake()

    def listen(self, listener: Callable[[bool], None] | None) -> None:
        """Call `listener` with True when somebody watches, now or later, and with False when nobody does any more.

        None: nobody renders the job any more.
        """
        self._listener = listener
        if listener is None:
            self._stop_lingering()
        elif self._viewers:
            listener(True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be a viewer for the duration of the context."""
        self._arrive()
        try:
            yield
        finally:
            self._leave()

    async def newest(self) -> Preview | None:
        """Return the newest preview, the first one once it is made; None if there is none and none will come.

        The caller counts as a viewer for a while, so that one who asks again and again sees each step.
        """
        with self.watching():
            while self._value is None and not self._has_ended:
                await self._changed.wait()
            self._linger()
        return self._value

    def _linger(self) -> None:
        if self._listener is not None:
            self._arrive()
            self._stop_lingering()
            self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._stop_lingering)

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
            self._leave()

    def _arrive(self) -> None:
        self._viewers += 1
        if self._viewers == 1:
            self._tell(True)

    def _leave(self) -> None:
        self._viewers -= 1
        if not self._viewers:
            self._tell(False)

    def _tell(self, is_watched: bool) -> None:
        if self._listener is not None:
            self._listener(is_watched)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
