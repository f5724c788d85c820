"""The context of a request: what its head says, and what the routes make for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers

from server.jobs.job import Job
from server.videos.prepared import PreparedRequest
from server.videos.video import Video


@dataclass
class RequestContext:
    """The context of one request.

    owner: the id of the API key; None without one. link_expires: the expiry of the signed link that the request came
    through, in Unix seconds. is_strict: refuse what would be adjusted.

    The routes set the rest, which the log and the traces show. prepared: the clip that was asked for. job: the render
    that the request started and awaits. video: the stored video that it created or found.
    """

    id: str
    owner: str | None
    link_expires: int | None = None
    is_strict: bool = False
    prepared: PreparedRequest | None = None
    job: Job | None = None
    video: Video | None = None

    @property
    def preference_applied(self) -> dict[str, str]:
        """Return the header that confirms strict handling."""
        return {"Preference-Applied": "handling=strict"} if self.is_strict else {}


def context_of(request: Request) -> RequestContext:
    """Return the context, which is created at the first call."""
    state = request.scope["state"]
    if "context" not in state:
        state["context"] = replace(context_in(state), is_strict=_prefers_strict(request.headers))
    return context_in(state)


def context_in(state: Mapping[str, Any]) -> RequestContext:
    """Return the context in a request's state. If no route has asked for it yet, create one that is not kept."""
    context: RequestContext | None = state.get("context")
    return context or RequestContext(state.get("request_id", ""), state.get("key_id"), state.get("link_expires"))


def _prefers_strict(headers: Headers) -> bool:
    """Return whether a Prefer header contains `handling=strict`, perhaps among other preferences (RFC 7240)."""
    preferences = ",".join(headers.getlist("prefer")).lower().split(",")
    return any(
        preference.split(";")[0].replace(" ", "").replace('"', "") == "handling=strict" for preference in preferences
    )
