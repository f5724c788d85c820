"""Idempotency-Key: a request that is sent again finds the same video. Every stored video is created here."""

import hashlib
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request

from server.edge.paths import route_path
from server.jobs.job import Job
from server.requests.body import RequestBody
from server.requests.context import context_of
from server.requests.disconnect import unless_disconnected
from server.requests.prepare import accept_request, prepare_request
from server.services import services_of
from server.videos.errors import IdempotencyError
from server.videos.prepared import PreparedRequest
from server.videos.video import Idempotency, Video

T = TypeVar("T")

HEADER = "idempotency-key"
_KEY = re.compile(r"[!-~]{1,255}")


async def store_video(request: Request, body: RequestBody) -> tuple[Video, Job | None]:
    """Return the video of this request, and the job that renders it, which is None if the video existed before.

    Raises RequestInvalid, EnhancerError, JobError or VideosError.
    """
    videos, context = services_of(request).videos, context_of(request)
    idempotency = read_idempotency(request, body)
    async with videos.once(context.owner, idempotency) as known:
        video = known or await _create_video(request, body, idempotency)
    context.video, context.prepared = video, video.request
    return video, None if known else videos.job(video.id)


async def _create_video(request: Request, body: RequestBody, idempotency: Idempotency | None) -> Video:
    services, context = services_of(request), context_of(request)

    async def go_on(work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`. With an Idempotency-Key, go on if the client disconnects: it may come back."""
        return await (work if idempotency else unless_disconnected(request, work))

    resolved = await go_on(accept_request(services, context, body))

    async def prepare(folder: Path) -> PreparedRequest:
        return await go_on(prepare_request(services, context, resolved, folder))

    return await services.videos.create(prepare, context.owner, idempotency)


def read_idempotency(request: Request, body: RequestBody) -> Idempotency | None:
    """Return the request's key and fingerprint, or None without a key. Raises IdempotencyError."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyError("an Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID")
    what = f"{route_path(request.scope)} {context_of(request).is_strict}\n".encode()
    return Idempotency(key, hashlib.sha256(what + body.digest).hexdigest())
