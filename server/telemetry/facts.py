"""What may be told of a request, in the log and in traces. Keys, images and answers have no part in it."""

from collections.abc import Mapping
from typing import Any

from server.edge.exchange import Exchange
from server.jobs import Job
from server.telemetry.metrics import outcome_of


def job_of(exchange: Exchange) -> Job | None:
    """The clip that was made for it, as far as it got."""
    job: Job | None = exchange.state.get("job")
    return job


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
        **({} if job is None else clip_facts(job, with_prompt=with_prompt) | {"timings": timings_s(exchange, job)}),
    }


def clip_facts(job: Job, *, with_prompt: bool) -> dict[str, Any]:
    spec = job.spec
    return {
        "seed": spec.seed,
        "width": spec.width,
        "height": spec.height,
        "frames": spec.num_frames,
        **({"outcome": outcome_of(job.ended)} if job.ended.done() else {}),
        **({"prompt": spec.prompt} if with_prompt else {}),
    }


def timings_s(exchange: Exchange, job: Job) -> dict[str, float]:
    """In the order in which they passed: enhance, queue, then the stages of a clip that was finished."""
    stages: Mapping[str, float] = {}
    if job.ended.done() and not job.ended.cancelled() and job.ended.exception() is None:
        stages = job.ended.result()
    seconds = {"enhance": exchange.state.get("enhance_s", 0.0), "queue": job.queued_s, **stages}
    return {name: round(value, 4) for name, value in seconds.items()}
