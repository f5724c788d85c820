"""Run work for a client that may disconnect before the work ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`; cancel it if the client disconnects.

    Raises ClientDisconnect in that case, once the work has ended.
    """
    task, gone = asyncio.create_task(work), asyncio.create_task(disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        gone.cancel()
        await _end(task)


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel the task, wait until it has ended, and ignore its exception."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


async def disconnected(request: Request) -> None:
    """Wait until the client has disconnected. The body must have been read."""
    message: dict[str, Any] = {}
    while message.get("type") != "http.disconnect":
        message = dict(await request.receive())
