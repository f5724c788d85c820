"""Queries to a worker that are not jobs, kept until the worker answers or ends. Independent of processes."""

import asyncio
import itertools
from collections.abc import Callable

from pipelines.prompt_cut import PromptCut
from server.jobs.job import NotReady
from server.worker.messages import FindCut, FoundCut


class Queries:
    """Open queries to one worker."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[PromptCut | None]] = {}

    async def ask(self, prompt: str, send: Callable[[FindCut], None]) -> PromptCut | None:
        """Send the query and return the answer. Raises NotReady if the worker ends before it answers."""
        number = next(self._numbers)
        answer: asyncio.Future[PromptCut | None] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        try:
            send(FindCut(number, prompt))
            return await answer
        finally:
            del self._open[number]

    def on_answer(self, message: FoundCut) -> None:
        answer = self._open.get(message.number)
        if answer is not None and not answer.done():
            answer.set_result(message.cut)

    def fail_all(self) -> None:
        """Fail every open query with NotReady: this worker has ended."""
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(NotReady("the worker ended before it had read the prompt"))
