"""The sync client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, Unpack

import httpx

from ltx23_client import operations
from ltx23_client.answers import Enhancement, Health, Model, Preview, Progress, Video
from ltx23_client.clip import Clip
from ltx23_client.fields import ClipFields, Keyframe, VideoFields
from ltx23_client.files import Media
from ltx23_client.retries import OnRetry, Policy
from ltx23_client.routes import api_key_headers, server_address
from ltx23_client.transport import SyncTransport
from ltx23_client.user_agent import USER_AGENT


class LTX23:
    """A client of an LTX-2.3 server. Threads may share it.

    base_url: the server's address; LTX23_SERVER, or http://127.0.0.1:8000, if omitted.
    api_key: LTX23_API_KEY if omitted.
    timeout_s: how long the server may say nothing.
    retry_s: for how long a request is repeated that is answered 429 or 503 or whose connection is cut; 0: not at all.
    on_retry: called with what went wrong and the seconds until the request is sent again.
    headers: sent with every request.
    http: a client of httpx with your own proxy or certificates; its timeouts hold.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retry_s: float = 300.0,
        on_retry: OnRetry | None = None,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        address = server_address(base_url)
        sent = {"User-Agent": USER_AGENT} | api_key_headers(api_key) | dict(headers or {})
        self._policy = Policy(retry_s, on_retry)
        self._transport = SyncTransport(
            http or httpx.Client(timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0))), address, sent
        )
        self.videos = Videos(self._policy, self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def generate(
        self,
        prompt: str,
        *,
        on_event: Callable[[Progress | Preview], object] | None = None,
        previews: bool = False,
        timeout_s: float | None = None,
        **fields: Unpack[ClipFields],
    ) -> Clip:
        """Make a clip and wait for it. If you interrupt it, the render is cancelled.

        on_event: called with each Progress, and with each Preview if `previews` is true.
        timeout_s: how long the clip may take, checked whenever the server says something, at least every 15 seconds.

        Raises LTX23Error, such as InvalidRequest, QueueFull, RenderFailed or WaitTimeout.
        """
        steps = operations.generate(self._policy, prompt, fields, previews=previews, timeout_s=timeout_s)
        return self._transport.run(steps, on_event)

    def stream(
        self,
        prompt: str,
        *,
        previews: bool = False,
        timeout_s: float | None = None,
        **fields: Unpack[ClipFields],
    ) -> Iterator[Progress | Preview | Clip]:
        """Make a clip. Yield each Progress, each Preview if `previews` is true, and the Clip at the end.

        If you leave the loop before that, the render is cancelled.
        """
        steps = operations.generate(self._policy, prompt, fields, previews=previews, timeout_s=timeout_s)
        return self._transport.iterate(operations.stream(steps))

    def enhance(
        self,
        prompt: str,
        *,
        image: Media | None = None,
        keyframes: Sequence[Keyframe | Mapping[str, Any]] | None = None,
        duration: float | None = None,
        seed: int | None = None,
    ) -> Enhancement:
        """Rewrite a prompt without rendering it."""
        fields: ClipFields = {"image": image, "keyframes": keyframes, "duration": duration, "seed": seed}
        return self._transport.run(operations.enhance(self._policy, prompt, fields))

    def models(self) -> tuple[Model, ...]:
        """Return the model of the server, with its limits, defaults, features and LoRAs."""
        return self._transport.run(operations.models(self._policy))

    def health(self) -> Health:
        """Return the state of the server, also if it is not ready."""
        return self._transport.run(operations.health(self._policy))


class Videos:
    """The jobs of the server."""

    def __init__(self, policy: Policy, transport: SyncTransport) -> None:
        self._policy, self._transport = policy, transport

    def create(self, prompt: str, **fields: Unpack[VideoFields]) -> Video:
        """Create a video, which is rendered in the background."""
        return self._transport.run(operations.create(self._policy, prompt, fields))

    def get(self, video_id: str) -> Video:
        return self._transport.run(operations.get(self._policy, video_id))

    def list(self, limit: int | None = None, *, order: Literal["asc", "desc"] = "desc") -> Iterator[Video]:
        """Yield your videos, newest first, all of them or up to `limit`."""
        return self._transport.iterate(operations.list_videos(self._policy, limit, order))

    def delete(self, video_id: str) -> None:
        """Delete a video; cancel it if it is not finished."""
        self._transport.run(operations.delete(self._policy, video_id))

    def remix(self, video_id: str, prompt: str, **fields: Unpack[ClipFields]) -> Video:
        """Create a video like this one with another prompt."""
        return self._transport.run(operations.remix(self._policy, video_id, prompt, fields))

    def events(self, video_id: str, *, previews: bool = False) -> Iterator[Progress | Preview | Video]:
        """Yield each Progress, each Preview if `previews` is true, and the Video once it is finished or has failed.

        Raises RenderCancelled if the video is deleted. If you leave the loop, the render goes on.
        """
        return self._transport.iterate(operations.events(self._policy, video_id, previews=previews))

    def wait(self, video_id: str) -> Video:
        """Wait until a video is finished or has failed. Raises RenderCancelled if it is deleted."""
        return self._transport.run(operations.wait_for(self._policy, video_id))

    def content(self, video_id: str) -> bytes:
        """Return the file. Raises NotFinished if there is none."""
        return self._transport.run(operations.content(self._policy, video_id, "video"))

    def thumbnail(self, video_id: str) -> bytes:
        """Return the first frame, a WebP."""
        return self._transport.run(operations.content(self._policy, video_id, "thumbnail"))

    def spritesheet(self, video_id: str) -> bytes:
        """Return up to 16 frames in rows of 4, a JPEG."""
        return self._transport.run(operations.content(self._policy, video_id, "spritesheet"))
