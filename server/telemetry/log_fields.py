"""Collect what the log and the traces may show of a request: never keys, images or answers.

The routes store in a request's state what they made for it: `job`, the render that it awaits, with `enhance_s` and
`adjustments`, and `video`, the stored video that it created or found. Times are shown only for a job: those of a video
that was found, or that nobody awaits, do not belong to this request.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.spec import GenerationSpec
from server.contract import adjustments_json, shorten_list
from server.edge.exchange import Exchange
from server.jobs.job import Job
from server.telemetry.metrics import DONE, outcome_of
from server.videos.video import Video, VideoStatus

MAX_ADJUSTMENTS = 100


def request_fields(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    job = job_of(exchange)
    return {
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
        "bytes": exchange.body_bytes,
        "request_id": exchange.state.get("request_id"),
        "key_id": exchange.state.get("key_id"),
        **clip_fields(exchange, with_prompt=with_prompt),
        **({} if job is None else {"timings": timings_s(exchange, job)}),
        **adjustment_fields(exchange, with_prompt=with_prompt),
    }


def job_of(exchange: Exchange) -> Job | None:
    job: Job | None = exchange.state.get("job")
    return job


def clip_fields(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    """Describe the clip that was asked for, as far as it is known."""
    job, video = job_of(exchange), _video_of(exchange)
    spec = _spec(job, video)
    if spec is None:
        return {}
    outcome = _outcome(job, video)
    return {
        **({} if video is None else {"video_id": video.id}),
        "seed": spec.seed,
        "width": spec.width,
        "height": spec.height,
        "frames": spec.num_frames,
        **({} if outcome is None else {"outcome": outcome}),
        **({"prompt": spec.prompt} if with_prompt else {}),
    }


def adjustment_fields(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    """Return the adjustments of the clip, at most 100. Values and reasons that are text may quote the prompt."""
    video = _video_of(exchange)
    made = exchange.state.get("adjustments", () if video is None else video.request.adjustments)
    shown = adjustments_json(shorten_list(made, MAX_ADJUSTMENTS))
    if not with_prompt:
        shown = [{n: v for n, v in entry.items() if n == "field" or not isinstance(v, str)} for entry in shown]
    return {"adjustments": shown} if shown else {}


def timings_s(exchange: Exchange, job: Job) -> dict[str, float]:
    """Return the seconds in order: enhance, queue, then the stages of a finished clip."""
    stages: Mapping[str, float] = {}
    if job.ended.done() and not job.ended.cancelled() and job.ended.exception() is None:
        stages = job.ended.result()
    seconds = {"enhance": exchange.state.get("enhance_s", 0.0), "queue": job.queued_s, **stages}
    return {name: round(value, 4) for name, value in seconds.items()}


def _video_of(exchange: Exchange) -> Video | None:
    video: Video | None = exchange.state.get("video")
    return video


def _spec(job: Job | None, video: Video | None) -> GenerationSpec | None:
    if job is not None:
        return job.spec
    return video.request.spec if video is not None else None


def _outcome(job: Job | None, video: Video | None) -> str | None:
    """Prefer the video's outcome: its file may have been lost after the job was done."""
    if video is not None and video.failure is not None:
        return video.failure.code
    if video is not None and video.status is VideoStatus.COMPLETED:
        return DONE
    return outcome_of(job.ended) if job is not None and job.ended.done() else None
