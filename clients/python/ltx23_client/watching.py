"""Follow a video to its end through its events, over cut connections and restarts of the server."""

import json
import time

from ltx23_client.actions import Request, Response, Steps, close, emit, open_body, read
from ltx23_client.answers import Video, read_preview, read_progress, read_video
from ltx23_client.errors import ConnectionFailed, NotFound, RenderCancelled, WaitTimeout
from ltx23_client.event_stream import EventReader, ServerEvent
from ltx23_client.retries import Patience, Policy, exchange
from ltx23_client.routes import video_path


def watch(policy: Policy, video_id: str, *, previews: bool, deadline: float | None = None) -> Steps[Video]:
    """Emit the progress and the previews of a video, and return it when it is finished.

    deadline: by time.monotonic(). Raises RenderCancelled, WaitTimeout, APIError, ConnectionFailed.
    """
    request = Request(
        "GET",
        video_path(video_id, "events"),
        {"preview": "data" if previews else "off"},
        {"Accept": "text/event-stream"},
    )
    patience = Patience(policy)
    while True:
        try:
            response = yield from exchange(policy, request, attempt=open_body, patience=patience)
        except NotFound as exc:
            raise RenderCancelled(f"{video_id} was deleted before it was finished") from exc
        try:
            video = yield from _follow(response, patience, video_id, deadline)
        except ConnectionFailed as exc:
            yield from patience.pause(exc)
        else:
            return video


def _follow(response: Response, patience: Patience, video_id: str, deadline: float | None) -> Steps[Video]:
    reader = EventReader()
    try:
        while data := (yield from read(response)):
            for event in reader.feed(data):
                patience.renew()
                video = yield from _handle(event, video_id)
                if video is not None:
                    return video
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimeout(f"{video_id} was not ready in time")
    finally:
        yield from close(response)
    raise ConnectionFailed(f"the events of {video_id} ended before it was finished")


def _handle(event: ServerEvent, video_id: str) -> Steps[Video | None]:
    """Emit an event; return the video if it is the last one."""
    if event.name == "progress":
        yield from emit(read_progress(json.loads(event.data)))
    elif event.name == "preview":
        yield from emit(read_preview(json.loads(event.data)))
    elif event.name in ("completed", "failed"):
        return read_video(json.loads(event.data))
    elif event.name == "cancelled":
        raise RenderCancelled(f"{video_id} was deleted before it was finished")
    return None
