"""Describe a video as JSON, with links that a page can load without sending a key."""

from fastapi import Request

from server.answers.video import VideoAnswer, video_json
from server.edge.signed_links import SignedLinks
from server.requests.context import context_of
from server.services import services_of
from server.videos.active import Snapshot
from server.videos.video import VideoStatus


def video_answer(request: Request, snapshot: Snapshot) -> VideoAnswer:
    """Return the video as clients get it. `url` is set once the clip is ready."""
    video = snapshot.video
    path = f"/v1/videos/{video.id}"
    url = link(request, f"{path}/content") if snapshot.status is VideoStatus.COMPLETED else None
    events_url = link(request, f"{path}/events")
    return video_json(snapshot, services_of(request).videos.expires_at(video), url, events_url)


def link(request: Request, path: str, query: str = "") -> str:
    """Return a link to `path`, signed if the client has a key. The query is not signed.

    If the request itself came through a signed link, the new link expires with that one.
    """
    address = str(request.base_url).rstrip("/") + path
    links: SignedLinks = request.app.state.links
    context = context_of(request)
    signature = "" if context.owner is None else links.sign(path, context.owner, context.link_expires)
    queries = "&".join(part for part in (query, signature) if part)
    return f"{address}?{queries}" if queries else address
