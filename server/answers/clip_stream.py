"""Answer POST /generate with server-sent events: the progress and previews of the render, then the clip."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from fastapi import Request
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from pipelines.media.animation import ANIMATION_MEDIA_TYPE
from server.answers.clip import clip_json
from server.answers.errors import error_json
from server.jobs.job import Job
from server.jobs.previews import Preview
from server.jobs.progress import JobProgress
from server.requests.rendering import Rendered

KEEP_ALIVE_S = 15.0
KEEP_ALIVE = ": keep-alive\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# Describes the answer to `stream` in /openapi.json.
EVENTS = {"text/event-stream": {"schema": {"type": "string"}}}


class ClipProgress(BaseModel):
    """The data of a `progress` event."""

    position: int | None
    stage: str | None
    step: int
    steps: int
    percent: int


class ClipPreview(BaseModel):
    """The data of a `preview` event. data: the animation in base64."""

    stage: str
    step: int
    steps: int
    content_type: str
    data: str


class StreamedRender:
    """A render whose client gets events. Ends the render if its events are not read to the end."""

    def __init__(self, request: Request, render: Callable[[Callable[[Job], None]], Awaitable[Rendered]]) -> None:
        self._request = request
        self._job: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(render(self._on_job))
        # Nobody may be left to ask how it ended.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def accepted(self) -> None:
        """Wait until the request is queued, or done already. Raises what `render` raises before that."""
        try:
            waiting: list[asyncio.Future[Any]] = [self._job, self._task]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not self._job.done():
            self._task.result()

    async def events(self) -> AsyncGenerator[str, None]:
        try:
            if self._job.done():
                async with aclosing(self._progress(self._job.result())) as progress:
                    async for text in progress:
                        yield text
            yield await self._end()
        finally:
            self._task.cancel()

    async def _progress(self, job: Job) -> AsyncGenerator[str, None]:
        last_progress: JobProgress | None = None
        last_preview: Preview | None = None
        values = job.progress.values()
        following: asyncio.Future[JobProgress | None] | None = None
        try:
            with job.previews.watching():
                while not self._task.done():
                    following = following or asyncio.ensure_future(_next(values))
                    waiting: list[asyncio.Future[Any]] = [self._task, following]
                    await asyncio.wait(waiting, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
                    if not following.done():
                        yield KEEP_ALIVE
                        continue
                    progress, following = following.result(), None
                    if progress is None:
                        break
                    if progress != last_progress:
                        last_progress = progress
                        yield _event("progress", progress_answer(progress))
                    if job.previews.value is not None and job.previews.value is not last_preview:
                        last_preview = job.previews.value
                        yield _event("preview", preview_answer(last_preview))
        finally:
            if following is not None:
                following.cancel()

    async def _end(self) -> str:
        """Wait for the end of the render, and describe it."""
        try:
            rendered = await asyncio.shield(self._task)
        except Exception as exc:
            return _text("failed", error_json(self._request, exc))
        return await asyncio.to_thread(lambda: _event("completed", clip_json(rendered)))

    def _on_job(self, job: Job) -> None:
        if not self._job.done():
            self._job.set_result(job)


def progress_answer(progress: JobProgress) -> ClipProgress:
    return ClipProgress(
        position=progress.position,
        stage=progress.stage,
        step=progress.step,
        steps=progress.steps,
        percent=progress.percent,
    )


def preview_answer(preview: Preview) -> ClipPreview:
    return ClipPreview(
        stage=preview.stage,
        step=preview.step,
        steps=preview.steps,
        content_type=ANIMATION_MEDIA_TYPE,
        data=base64.b64encode(preview.data).decode("ascii"),
    )


def _event(name: str, data: BaseModel) -> str:
    return _text(name, data.model_dump(mode="json"))


def _text(name: str, data: dict[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return format_sse_event(data_str=text, event=name).decode("ascii")


async def _next(values: Any) -> JobProgress | None:
    with suppress(StopAsyncIteration):
        value: JobProgress = await anext(values)
        return value
    return None
