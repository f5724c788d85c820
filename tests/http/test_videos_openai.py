"""OpenAI's official client with a real server."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import httpx2
import pytest
from openai import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OpenAI,
    UnprocessableEntityError,
)
from openai.types import Video
from PIL import Image

from server.worker.messages import Ready
from tests.conftest import Server
from tests.http.conftest import KEY, encode, picture
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

# Values that this server accepts and the client's types do not have.
SIZE: Any = "256x256"
SECONDS: Any = "1"
FIELDS: dict[str, Any] = {"num_frames": 9, "generate_audio": False}


def connect(url: object, key: str = "none is needed") -> Iterator[OpenAI]:
    with httpx2.Client(trust_env=False) as http:
        yield OpenAI(base_url=f"{url}/v1", api_key=key, http_client=http)


@pytest.fixture
def openai(server: Server) -> Iterator[OpenAI]:
    yield from connect(server.url)


def extra(video: Video) -> dict[str, Any]:
    """Return the fields that OpenAI's own videos do not have."""
    return video.model_extra or {}


def test_a_clip_from_creation_to_deletion(openai: OpenAI, client: httpx.Client) -> None:
    made = openai.videos.create(
        prompt="a red fox", model="sora-2", seconds=SECONDS, size=SIZE, extra_body=FIELDS | {"fps": 24, "seed": 7}
    )
    assert (made.object, made.model) == ("video", "LTX-23-Video")
    assert made.status in {"queued", "in_progress"}
    assert made.created_at > 0
    assert (made.completed_at, made.expires_at, made.error) == (None, None, None)

    done = openai.videos.poll(made.id, poll_interval_ms=50)
    assert (done.id, done.status, done.progress) == (made.id, "completed", 100)
    assert (done.seconds, done.size, done.prompt) == ("1", "256x256", "a red fox")
    assert done.completed_at is not None
    assert done.completed_at >= done.created_at
    assert done.expires_at == done.completed_at + 86_400
    assert extra(done)["timings"].keys() == {"queue", "enhance", "encode", "denoise", "decode", "mux"}
    assert [a["field"] for a in extra(done)["adjustments"]] == ["model", "duration"]

    file = openai.videos.download_content(made.id).read()
    body = {"prompt": "a red fox", "width": 256, "height": 256, "seed": 7}
    assert file == client.post("/generate", json=body | FIELDS).content

    assert openai.videos.delete(made.id).deleted
    with pytest.raises(NotFoundError, match="there is no video"):
        openai.videos.retrieve(made.id)
    with pytest.raises(NotFoundError):
        openai.videos.delete(made.id)


def test_thumbnail_and_spritesheet_are_downloaded_by_name(openai: OpenAI) -> None:
    done = openai.videos.create_and_poll(prompt="a red fox", size=SIZE, extra_body=FIELDS, poll_interval_ms=50)
    assert done.status == "completed"

    thumbnail = openai.videos.download_content(done.id, variant="thumbnail")
    spritesheet = openai.videos.download_content(done.id, variant="spritesheet")

    for answer, media_type, size in ((thumbnail, "webp", (256, 256)), (spritesheet, "jpeg", (1024, 768))):
        assert answer.response.headers["content-type"] == f"image/{media_type}"
        with Image.open(io.BytesIO(answer.read())) as picture:
            assert (picture.format, picture.size) == (media_type.upper(), size)
    openai.videos.delete(done.id)
    with pytest.raises(NotFoundError, match="there is no video"):
        openai.videos.download_content(done.id, variant="thumbnail")


def test_a_thumbnail_of_an_unfinished_video_is_a_conflict(openai: OpenAI) -> None:
    size: Any = "768x512"
    made = openai.videos.create(prompt="a long walk", size=size, extra_body={"num_frames": 121})

    with pytest.raises(ConflictError, match="it has no file yet"):
        openai.with_options(max_retries=0).videos.download_content(made.id, variant="thumbnail")

    openai.videos.delete(made.id)


def test_a_first_frame_is_a_file_or_a_data_url(tmp_path: Path) -> None:
    """The worker lists the images of each clip in place of rendering it."""
    image = picture()
    # The client accepts an object only in `extra_body`, though its types allow it in `input_reference`.
    by_url = FIELDS | {"input_reference": {"image_url": f"data:image/png;base64,{encode(image)}"}}
    with serve(program_of("lists_its_images"), tmp_path / "work", cache_dir=tmp_path) as served:
        served.told(Ready)
        for openai in connect(str(served.client.base_url).rstrip("/")):
            for fields in (
                {"input_reference": image, "extra_body": FIELDS},
                {"input_reference": ("first.png", io.BytesIO(image), "image/png"), "extra_body": FIELDS},
                {"extra_body": by_url},
                {"extra_body": by_url, "extra_headers": {"Content-Type": "application/json"}},
            ):
                done = openai.videos.create_and_poll(prompt="a boat", size=SIZE, poll_interval_ms=50, **fields)
                listed = json.loads(openai.videos.download_content(done.id).read())
                assert listed == [[0, 1.0, hashlib.sha256(image).hexdigest()]]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/json"])
def test_our_own_fields_go_in_the_extra_body(openai: OpenAI, content_type: str) -> None:
    frame = encode(picture(size=(256, 320)))
    keyframes = [{"image_b64": frame, "frame_idx": 0}, {"image_b64": frame, "frame_idx": -1}]
    body = {"width": 256, "height": 320, "fps": 23.976, "keyframes": keyframes, "video_format": "webm", "seed": 3}

    done = openai.videos.create_and_poll(
        prompt="12", extra_body=FIELDS | body, extra_headers={"Content-Type": content_type}
    )

    more = extra(done)
    assert (done.size, done.prompt, more["seed"], more["fps"]) == ("256x320", "12", 3, 23.976024)
    assert more["adjustments"] == []
    with av.open(io.BytesIO(openai.videos.download_content(done.id).read())) as clip:
        assert [stream.codec_context.name for stream in clip.streams] == ["vp9"]
    openai.videos.delete(done.id)


@pytest.mark.usefixtures("no_videos")
def test_paging_goes_on_while_videos_are_deleted(openai: OpenAI) -> None:
    made = [openai.videos.create(prompt=str(i), size=SIZE, extra_body=FIELDS).id for i in range(5)]

    assert [video.id for video in openai.videos.list(limit=2, order="asc")] == made
    newest_first = []
    for video in openai.videos.list(limit=2):
        newest_first.append(video.id)
        openai.videos.delete(video.id)
    assert newest_first == made[::-1]
    assert openai.videos.list().data == []


def test_an_error_names_the_field_as_it_was_sent(openai: OpenAI) -> None:
    for fields, param in (
        ({"seconds": "soon"}, "seconds"),
        ({"size": "large"}, "size"),
        ({"extra_body": {"input_reference": {"image_url": "https://example.com/a.png"}}}, "input_reference"),
        ({"extra_body": {"input_reference": {"file_id": "file_1"}}}, "input_reference"),
        ({"input_reference": b"no image"}, "input_reference"),
        ({"extra_body": {"fps": "fast"}}, "fps"),
    ):
        with pytest.raises(UnprocessableEntityError) as refusal:
            openai.videos.create(prompt="a fox", **fields)
        assert refusal.value.param == param
        assert refusal.value.type == "invalid_request_error"
        assert refusal.value.code


def test_the_model_is_found_by_its_id(openai: OpenAI) -> None:
    assert openai.models.retrieve("LTX-23-Video") == openai.models.list().data[0]
    with pytest.raises(NotFoundError) as refusal:
        openai.models.retrieve("sora-2")
    assert (refusal.value.code, refusal.value.type) == ("model_not_found", "invalid_request_error")


def test_clips_are_remixed_edited_and_extended(openai: OpenAI) -> None:
    first = openai.videos.create_and_poll(prompt="a fox", size=SIZE, extra_body=FIELDS, poll_interval_ms=50)
    file = openai.videos.download_content(first.id).content

    edited = openai.videos.edit(prompt="a wolf", video=file)
    remixed = openai.videos.remix(first.id, prompt="a wolf")
    extended = openai.videos.extend(prompt="a wolf", seconds=SECONDS, video=file)

    assert (remixed.remixed_from_video_id, edited.remixed_from_video_id) == (first.id, None)
    assert (remixed.size, remixed.prompt) == (first.size, "a wolf")
    assert (extended.size, extra(extended)["num_frames"]) == (first.size, 33)
    for video in (remixed, extended):
        openai.videos.delete(video.id)
    assert openai.videos.poll(edited.id, poll_interval_ms=50).status == "completed"
    for video in (first, edited):
        openai.videos.delete(video.id)


def test_what_cannot_be_edited_is_refused_and_not_retried(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        openai.videos.remix("video_0", prompt="again")
    with pytest.raises(UnprocessableEntityError) as no_video:
        openai.videos.edit(prompt="again", video=b"a file")
    assert no_video.value.param == "video"
    with pytest.raises(BadRequestError) as refusal:
        openai.videos.create_character(name="fox", video=b"a file")
    assert refusal.value.code == "unsupported"


def test_a_client_without_a_key_gets_an_authentication_error(guarded: Server) -> None:
    for client in connect(guarded.url, "wrong"):
        with pytest.raises(AuthenticationError) as refusal:
            client.videos.create(prompt="a fox")
        assert refusal.value.code == "invalid_api_key"
    for client in connect(guarded.url, KEY):
        assert isinstance(client.videos.list().data, list)
