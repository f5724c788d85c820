"""A video as OpenAI's clients know it, with what this server has to say beside."""

from typing import Any

from server.answers import MODEL_ID, decimal
from server.contract import adjustments_json
from server.videos.live import Snapshot


def video_json(snapshot: Snapshot, expires_at: float | None) -> dict[str, Any]:
    video, order = snapshot.video, snapshot.video.order
    spec, failure = order.spec, video.failure
    return {
        "id": video.id,
        "object": "video",
        "model": MODEL_ID,
        "status": str(snapshot.status),
        "progress": snapshot.percent,
        "created_at": int(video.created_at),
        "completed_at": _whole(video.completed_at),
        "expires_at": _whole(expires_at),
        "seconds": str(decimal(spec.duration_s)),
        "size": f"{spec.width}x{spec.height}",
        "prompt": spec.prompt,
        "error": {"code": failure.code, "message": failure.message} if failure else None,
        "remixed_from_video_id": None,
        "original_prompt": order.original_prompt,
        "enhanced": order.enhanced,
        "seed": spec.seed,
        "width": spec.width,
        "height": spec.height,
        "num_frames": spec.num_frames,
        "fps": decimal(spec.frame_rate),
        "has_audio": spec.generate_audio,
        "video_format": str(spec.container),
        "size_bytes": video.size_bytes,
        "adjustments": adjustments_json(order.adjustments),
        "timings": {name: round(seconds, 4) for name, seconds in video.timings_s.items()},
    }


def progress_json(snapshot: Snapshot) -> dict[str, Any]:
    """Of one that is not finished."""
    progress = snapshot.progress
    seconds_left = snapshot.seconds_left
    return {
        "id": snapshot.video.id,
        "status": str(snapshot.status),
        "position": progress.position if progress else None,
        "stage": progress.stage if progress else None,
        "step": progress.step if progress else 0,
        "steps": progress.steps if progress else 0,
        "percent": snapshot.percent,
        "seconds_left": None if seconds_left is None else round(seconds_left, 1),
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
