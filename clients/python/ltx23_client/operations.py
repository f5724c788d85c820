"""What a client can do, written once for the sync and the async one: requests, and what their answers mean."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ltx23_client.actions import Request, Steps, call, emit
from ltx23_client.answers import (
    Enhancement,
    Health,
    Model,
    Video,
    read_enhancement,
    read_health,
    read_models,
    read_video,
)
from ltx23_client.clip import Clip
from ltx23_client.downloading import download
from ltx23_client.errors import AnswerError, LTX23Error, RenderFailed, WaitTimeout
from ltx23_client.fields import prepare
from ltx23_client.retries import Policy, exchange
from ltx23_client.routes import VIDEOS, video_path
from ltx23_client.watching import watch

# The largest page of GET /v1/videos.
PAGE = 100


def create(policy: Policy, prompt: str, fields: Mapping[str, Any]) -> Steps[Video]:
    return read_video((yield from _post(policy, VIDEOS, prompt, fields)))


def remix(policy: Policy, video_id: str, prompt: str, fields: Mapping[str, Any]) -> Steps[Video]:
    return read_video((yield from _post(policy, video_path(video_id, "remix"), prompt, fields)))


def get(policy: Policy, video_id: str) -> Steps[Video]:
    return read_video((yield from _json(policy, Request("GET", video_path(video_id)))))


def list_videos(policy: Policy, limit: int | None, order: str) -> Steps[None]:
    """Emit the videos, page by page."""
    query, left = {"order": order}, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = yield from _json(policy, Request("GET", VIDEOS, query | {"limit": str(size)}))
        for video in map(read_video, page["data"]):
            yield from emit(video)
        if not page["has_more"]:
            return
        query["after"], left = page["last_id"], None if left is None else left - size


def delete(policy: Policy, video_id: str) -> Steps[None]:
    yield from exchange(policy, Request("DELETE", video_path(video_id)))


def events(policy: Policy, video_id: str, *, previews: bool) -> Steps[None]:
    """Emit the progress and the previews of a video, then the video."""
    yield from emit((yield from watch(policy, video_id, previews=previews)))


def wait_for(policy: Policy, video_id: str) -> Steps[Video]:
    return (yield from watch(policy, video_id, previews=False))


def content(policy: Policy, video_id: str, variant: str) -> Steps[bytes]:
    return (yield from download(policy, video_id, variant))


def models(policy: Policy) -> Steps[tuple[Model, ...]]:
    return read_models((yield from _json(policy, Request("GET", "models"))))


def health(policy: Policy) -> Steps[Health]:
    return read_health((yield from _json(policy, Request("GET", "health"), accepts=(503,))))


def enhance(policy: Policy, prompt: str, fields: Mapping[str, Any]) -> Steps[Enhancement]:
    """Rewrite a prompt. A server that cannot do it now mostly has nothing to do it with."""
    return read_enhancement((yield from _post(policy, "enhance", prompt, fields, final=(503,))))


def generate(
    policy: Policy, prompt: str, fields: Mapping[str, Any], *, previews: bool, timeout_s: float | None
) -> Steps[Clip]:
    """Make a clip, and emit its progress. If the caller leaves before the end, the video is deleted."""
    deadline = None
    if timeout_s is not None:
        deadline = time.monotonic() + timeout_s
        policy = replace(policy, retry_s=min(policy.retry_s, timeout_s))
    video = yield from create(policy, prompt, fields)
    try:
        video = yield from watch(policy, video.id, previews=previews, deadline=deadline)
        if video.status == "failed":
            raise RenderFailed(video)
        return Clip((yield from download(policy, video.id, "video", video.size_bytes)), video)
    except BaseException as exc:
        if isinstance(exc, WaitTimeout) or not isinstance(exc, LTX23Error):
            yield from _cancel(video)
        raise


def stream(steps: Steps[Clip]) -> Steps[None]:
    """Emit the clip as well, at the end."""
    yield from emit((yield from steps))


def _cancel(video: Video) -> Steps[None]:
    """Delete a video that nobody waits for any more, if that can be done at once."""
    try:
        yield from delete(Policy(retry_s=0), video.id)
    except LTX23Error:
        return


def _post(
    policy: Policy, path: str, prompt: str, fields: Mapping[str, Any], *, final: Collection[int] = ()
) -> Steps[Mapping[str, Any]]:
    prepared = yield from call(partial(prepare, prompt, fields))
    return (yield from _json(policy, Request("POST", path, {}, prepared.headers, prepared.body), final=final))


def _json(
    policy: Policy, request: Request, *, accepts: Collection[int] = (), final: Collection[int] = ()
) -> Steps[Mapping[str, Any]]:
    response = yield from exchange(policy, request, accepts=accepts, final=final)
    try:
        body = json.loads(response.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        kind = response.headers.get("content-type", "no type")
        raise AnswerError(f"/{request.path} answered {kind}, not JSON: is this the address of an LTX-2.3 server?")
    return body
