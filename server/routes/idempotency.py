"""Idempotency-Key: the same request, sent again, is the same video. The way in for every stored video."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Request

from server.contract import Adjustment
from server.engine import Engine
from server.errors import prefers_strict
from server.intake import accept_request, prepare_order
from server.videos.errors import IdempotencyError
from server.videos.video import Idempotency, Video

_KEY = re.compile(r"[!-~]{1,255}")


def read_idempotency(request: Request, body: bytes) -> Idempotency | None:
    """`body`: what makes this request the same as another. Raises IdempotencyError."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyError("an Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID")
    what = f"{request.url.path} {prefers_strict(request)}\n".encode()
    return Idempotency(key, hashlib.sha256(what + body).hexdigest())


async def create_video(
    request: Request,
    engine: Engine,
    raw: Mapping[str, Any],
    idempotency: Idempotency | None,
    adjustments: tuple[Adjustment, ...] = (),
) -> Video:
    """The video of this request, made or found. Raises RequestInvalid, JobError or VideosError.

    adjustments: those that were made on the way to `raw`.
    """
    owner = request.state.key_id
    async with engine.videos.once(owner, idempotency) as known:
        if known is not None:
            return known
        resolved = await accept_request(engine, raw, prefers_strict(request))
        resolved = replace(resolved, adjustments=adjustments + resolved.adjustments)
        strict = prefers_strict(request)
        prepare = partial(prepare_order, engine, resolved, strict=strict, owner=owner)
        return await engine.videos.create(prepare, owner, idempotency)
