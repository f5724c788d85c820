"""Create several videos of one request, with consecutive seeds: all of them, or none."""

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request

from pipelines.spec import MAX_SEED
from server.contract.errors import RequestInvalid
from server.requests.body import RequestBody
from server.requests.context import context_of
from server.requests.disconnect import unless_disconnected
from server.requests.idempotency import read_idempotency
from server.requests.prepare import accept_request, prepare_request
from server.services import services_of
from server.videos.prepared import PreparedRequest, request_from_json, request_to_json
from server.videos.video import Idempotency, Video

T = TypeVar("T")


async def store_videos(request: Request, body: RequestBody, count: int) -> list[Video]:
    """Return the videos of this request, the first one with its seed. A request that is sent again finds the same.

    Raises RequestInvalid, EnhancerError, JobError or VideosError, and then leaves no video.
    """
    videos, context = services_of(request).videos, context_of(request)
    idempotency = read_idempotency(request, body)
    async with videos.once(context.owner, idempotency) as known:
        if known is None:
            found = await _create_videos(request, body, count, idempotency)
        else:
            found = [known]
            for number in range(1, count):
                async with videos.once(context.owner, _of_number(idempotency, number)) as other:
                    found += [] if other is None else [other]
    context.video, context.prepared = found[0], found[0].request
    return found


async def _create_videos(
    request: Request, body: RequestBody, count: int, idempotency: Idempotency | None
) -> list[Video]:
    services, context = services_of(request), context_of(request)

    async def go_on(work: Coroutine[Any, Any, T]) -> T:
        return await (work if idempotency else unless_disconnected(request, work))

    resolved = await go_on(accept_request(services, context, body))
    if resolved.spec.seed + count - 1 > MAX_SEED:
        largest = f"the seeds would end at {resolved.spec.seed + count - 1}, and the largest is {MAX_SEED}"
        raise RequestInvalid.at(("n",), f"Should be smaller: {largest}", "seed_too_large")
    created: list[Video] = []
    with services.workspace.job_folder() as base:
        prepared = await go_on(prepare_request(services, context, resolved, base))
        try:
            for number in range(count):

                async def prepare(folder: Path, number: int = number) -> PreparedRequest:
                    return await asyncio.to_thread(_copied, prepared, folder, number)

                numbered = _of_number(idempotency, number)
                created.append(await services.videos.create(prepare, context.owner, numbered))
        except BaseException:
            for video in created:
                await services.videos.delete(video.id, context.owner)
            raise
    return created


def _copied(prepared: PreparedRequest, folder: Path, number: int) -> PreparedRequest:
    """Copy the files of a request into a folder, and return the request with them and with the seed of its number."""
    for path in prepared.spec.inputs:
        shutil.copyfile(path, folder / path.name)
    copied = request_from_json(request_to_json(prepared), folder)
    return replace(copied, spec=replace(copied.spec, seed=copied.spec.seed + number))


def _of_number(idempotency: Idempotency | None, number: int) -> Idempotency | None:
    """Return what finds the video of this number again; no client's key has a space."""
    if idempotency is None or number == 0:
        return idempotency
    return replace(idempotency, key=f"{idempotency.key} {number}")
