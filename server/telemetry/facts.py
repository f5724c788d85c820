"""What may be told of a request, in the log and in traces. Keys, images and answers have no part in it.

The routes put into a request's state what was made for it: `job`, the rendering that it awaits, with `enhance_s`, and
`video`, the stored video that it ordered or found, as it was last known to it. Times are told of a job alone: those of
a video that was found, or that nobody awaits, passed before its request or pass after it.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.spec import GenerationSpec
from server.edge.exchange import Exchange
from server.jobs.job import Job
from server.telemetry.metrics import DONE, outcome_of
from server.videos.video import Video, VideoStatus


def request_facts(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    job = job_of(exchange)
    return {
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
        "bytes": exchange.body_bytes,
        "request_id": exchange.state.get("request_id"),
        "key_id": exchange.state.get("key_id"),
        **clip_facts(exchange, with_prompt=with_prompt),
        **({} if job is None else {"timings": timings_s(exchange, job)}),
    }


def job_of(exchange: Exchange) -> Job | None:
    job: Job | None = exchange.state.get("job")
    return job


def clip_facts(exchange: Exchange, *, with_prompt: bool) -> dict[str, Any]:
    """Of the clip that was asked for, as far as it got; nothing where none was."""
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


def timings_s(exchange: Exchange, job: Job) -> dict[str, float]:
    """In the order in which they passed: enhance, queue, then the stages of a clip that was finished."""
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
    return video.order.spec if video is not None else None


def _outcome(job: Job | None, video: Video | None) -> str | None:
    """The video's where it has one: its file may have been lost after the job was done."""
    if video is not None and video.failure is not None:
        return video.failure.code
    if video is not None and video.status is VideoStatus.COMPLETED:
        return DONE
    return outcome_of(job.ended) if job is not None and job.ended.done() else None
