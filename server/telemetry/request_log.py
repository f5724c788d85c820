"""Log one line for each request. The traces show the same fields: never keys, images or answers.

Times are shown only for the job that a request awaited: those of a video that was found, or that nobody awaits, do not
belong to this request.
"""

import logging
from dataclasses import dataclass
from typing import Any

from server.answers.clip import rounded
from server.contract.adjustments import adjustments_json, shorten_list
from server.edge.exchange import Exchange
from server.process.logs import FIELDS
from server.requests.context import RequestContext, context_in
from server.telemetry.metrics import DONE, outcome_of
from server.videos.video import VideoStatus

log = logging.getLogger("ltx23.request")

MAX_ADJUSTMENTS = 100


@dataclass(frozen=True)
class RequestLog:
    with_prompts: bool = False

    def __call__(self, exchange: Exchange) -> None:
        fields = request_fields(exchange, with_prompt=self.with_prompts)
        fields = {name: value for name, value in fields.items() if value is not None}
        log.info("answered", extra={FIELDS: fields})


def request_fields(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    context = context_in(exchange.state)
    return {
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
        "bytes": exchange.body_bytes,
        "request_id": context.id,
        "key_id": context.owner,
        **clip_fields(context, with_prompt=with_prompt),
        **({"timings": timings_s(context)} if context.job else {}),
        **adjustment_fields(context, with_prompt=with_prompt),
        "rehearsed": exchange.state.get("rehearsed"),
    }


def clip_fields(context: RequestContext, *, with_prompt: bool) -> dict[str, Any]:
    """Describe the clip that was asked for, as far as it is known."""
    if context.prepared is None:
        return {}
    spec, outcome = context.prepared.spec, _outcome(context)
    return {
        **({} if context.video is None else {"video_id": context.video.id}),
        "seed": spec.seed,
        "width": spec.width,
        "height": spec.height,
        "frames": spec.delivered_frames,
        **({} if outcome is None else {"outcome": outcome}),
        **({"prompt": spec.prompt} if with_prompt else {}),
    }


def adjustment_fields(context: RequestContext, *, with_prompt: bool) -> dict[str, Any]:
    """Return the adjustments of the clip, at most 100. Values and reasons that are text may quote the prompt."""
    if context.prepared is None:
        return {}
    shown = adjustments_json(shorten_list(context.prepared.adjustments, MAX_ADJUSTMENTS))
    if not with_prompt:
        shown = [{n: v for n, v in entry.items() if n == "field" or not isinstance(v, str)} for entry in shown]
    return {"adjustments": shown} if shown else {}


def timings_s(context: RequestContext) -> dict[str, float]:
    """Return the seconds of the job: enhance, queue, then the stages of a finished clip. Empty without a job."""
    job, prepared = context.job, context.prepared
    if job is None or prepared is None:
        return {}
    return rounded({"enhance": prepared.enhance_s} | prepared.timings_s(job))


def _outcome(context: RequestContext) -> str | None:
    """Prefer the video's outcome: its file may have been lost after the job was done."""
    job, video = context.job, context.video
    if video is not None and video.failure is not None:
        return video.failure.code
    if video is not None and video.status is VideoStatus.COMPLETED:
        return DONE
    return outcome_of(job.ended) if job is not None and job.ended.done() else None
