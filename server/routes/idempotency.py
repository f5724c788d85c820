"""Idempotency-Key: the same request, sent again, is the same video. The way in for every stored video."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import Request

from server.contract import Adjustment
from server.disconnect import unless_disconnected
from server.edge.paths import route_path
from server.engine import Engine
from server.errors import prefers_strict
from server.intake import accept_request, prepare_order
from server.jobs.job import Job
from server.orders import Order
from server.videos.errors import IdempotencyError
from server.videos.video import Idempotency, Video

_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True)
class Ordered:
    """job: the attempt to render it that this request began; None where the video was there before."""

    video: Video
    job: Job | None = None


def read_idempotency(request: Request, digest: bytes) -> Idempotency | None:
    """`digest`: the body's; the same request has the same. Raise IdempotencyError."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyError("an Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID")
    what = f"{route_path(request.scope)} {prefers_strict(request)}\n".encode()
    return Idempotency(key, hashlib.sha256(what + digest).hexdigest())


async def store_video(
    request: Request,
    engine: Engine,
    raw: Mapping[str, Any],
    idempotency: Idempotency | None,
    adjustments: tuple[Adjustment, ...] = (),
) -> Ordered:
    """The video of this request, made or found. Raises RequestInvalid, JobError or VideosError.

    adjustments: those that were made on the way to `raw`.
    """
    ordered = await _make_or_find(request, engine, raw, idempotency, adjustments)
    # For the log and the traces.
    request.state.video = ordered.video
    return ordered


async def _make_or_find(
    request: Request,
    engine: Engine,
    raw: Mapping[str, Any],
    idempotency: Idempotency | None,
    adjustments: tuple[Adjustment, ...],
) -> Ordered:
    owner = request.state.key_id
    async with engine.videos.once(owner, idempotency) as known:
        if known is not None:
            return Ordered(known)
        strict = prefers_strict(request)
        resolved = await accept_request(engine, raw, strict, owner)
        resolved = replace(resolved, adjustments=adjustments + resolved.adjustments)

        async def prepare(folder: Path) -> Order:
            """A client with an Idempotency-Key has said that it may come back: its video goes on without it."""
            order = prepare_order(engine, resolved, folder, strict, owner)
            return await (order if idempotency else unless_disconnected(request, order))

        video = await engine.videos.create(prepare, owner, idempotency)
        return Ordered(video, engine.videos.job(video.id))
