"""Idempotency-Key: a request that is sent again finds the same video. Every stored video is created here."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import Request

from server.answers.errors import prefers_strict
from server.contract import Adjustment
from server.edge.paths import route_path
from server.jobs.job import Job
from server.requests.disconnect import unless_disconnected
from server.requests.prepare import accept_request, prepare_request
from server.requests.prepared import PreparedRequest
from server.services import Services
from server.videos.errors import IdempotencyError
from server.videos.video import Idempotency, Video

_KEY = re.compile(r"[!-~]{1,255}")


def read_idempotency(request: Request, digest: bytes) -> Idempotency | None:
    """Return the request's key and fingerprint, or None without a key. Raises IdempotencyError.

    digest: the body's; equal for equal requests.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyError("an Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID")
    what = f"{route_path(request.scope)} {prefers_strict(request)}\n".encode()
    return Idempotency(key, hashlib.sha256(what + digest).hexdigest())


async def store_video(
    request: Request,
    services: Services,
    raw: Mapping[str, Any],
    idempotency: Idempotency | None,
    adjustments: tuple[Adjustment, ...] = (),
) -> tuple[Video, Job | None]:
    """Return the video of this request, and the job that renders it, which is None if the video existed before.

    adjustments: those made before `raw`. Raises RequestInvalid, JobError or VideosError.
    """
    video, job = await _make_or_find(request, services, raw, idempotency, adjustments)
    # Used by the log and the traces.
    request.state.video = video
    return video, job


async def _make_or_find(
    request: Request,
    services: Services,
    raw: Mapping[str, Any],
    idempotency: Idempotency | None,
    adjustments: tuple[Adjustment, ...],
) -> tuple[Video, Job | None]:
    owner = request.state.key_id
    async with services.videos.once(owner, idempotency) as known:
        if known is not None:
            return known, None
        strict = prefers_strict(request)
        resolved = await accept_request(services, raw, strict, owner)
        resolved = replace(resolved, adjustments=adjustments + resolved.adjustments)

        async def prepare(folder: Path) -> PreparedRequest:
            """Prepare the request. With an Idempotency-Key, go on if the client disconnects: it may come back."""
            work = prepare_request(services, resolved, folder, strict, owner)
            return await (work if idempotency else unless_disconnected(request, work))

        video = await services.videos.create(prepare, owner, idempotency)
        return video, services.videos.job(video.id)
