"""`client.videos` and what the client tells about a server."""

import asyncio

import pytest
from ltx23_client import (
    LTX23,
    ConnectionFailed,
    InputError,
    InvalidRequest,
    Keyframe,
    NotFinished,
    NotFound,
    Progress,
    RenderCancelled,
    Unauthorized,
    Unavailable,
    Video,
)

from tests.http.conftest import closed_port
from tests.http.loading import Loading, loading
from tests.python_client.conftest import KEY, LONG, SMALL, Rehearsal, async_client

__all__ = ["loading"]


def test_a_video_from_its_creation_to_its_end(client: LTX23) -> None:
    video = client.videos.create("a red fox", **SMALL)
    *progress, finished = client.videos.events(video.id)

    assert all(isinstance(event, Progress) for event in progress)
    assert isinstance(finished, Video)
    assert client.videos.get(video.id).status == finished.status == client.videos.wait(video.id).status == "completed"
    assert len(client.videos.content(video.id)) == finished.size_bytes
    assert client.videos.thumbnail(video.id)[8:12] == b"WEBP"
    assert client.videos.spritesheet(video.id)[:2] == b"\xff\xd8"
    client.videos.delete(video.id)
    with pytest.raises(NotFound, match=r"\(404\)"):
        client.videos.get(video.id)


def test_all_videos_are_listed_page_by_page(client: LTX23) -> None:
    made = [client.videos.create("a red fox", **SMALL).id for _ in range(2)]
    for video_id in made:
        client.videos.wait(video_id)

    assert [video.id for video in client.videos.list(2)] == made[::-1]
    assert [video.id for video in client.videos.list()][:2] == made[::-1]
    assert {*made} <= {video.id for video in client.videos.list(order="asc")}


def test_several_videos_of_one_request(client: LTX23) -> None:
    video = client.videos.create("a red fox", n=2, **SMALL)

    assert [client.videos.wait(video_id).seed for video_id in video.batch] == [7, 8]


def test_a_remix_is_a_new_video(client: LTX23) -> None:
    first = client.generate("a red field", **SMALL)

    remix = client.videos.remix(first.video.id, "a blue field")

    assert remix.remixed_from_video_id == first.video.id
    assert client.videos.wait(remix.id).seed == 7


def test_a_video_that_is_deleted_ends_its_events(client: LTX23) -> None:
    video = client.videos.create("a long walk", **LONG)
    events = client.videos.events(video.id)
    next(events)
    client.videos.delete(video.id)

    with pytest.raises(RenderCancelled, match="was deleted before it was finished"):
        list(events)
    with pytest.raises(RenderCancelled):
        client.videos.wait(video.id)


def test_a_file_that_is_not_there_yet(client: LTX23) -> None:
    video = client.videos.create("a long walk", **LONG)
    with pytest.raises(NotFinished, match="it has no file yet"):
        client.videos.content(video.id)
    client.videos.delete(video.id)


def test_errors_name_the_fields(client: LTX23) -> None:
    with pytest.raises(InvalidRequest) as raised:
        client.generate("a red fox", width=-1, extra={"num_frames": "many"})

    error = raised.value
    assert error.status == 422
    assert [problem.path for problem in error.fields] == [("width",), ("num_frames",)]
    assert error.fields[0].message == "Input should be greater than 0"
    assert str(error).startswith("width: Input should be greater than 0; num_frames: ")
    assert error.request_id


def test_errors_have_the_names_that_the_client_has(client: LTX23) -> None:
    for fields in ({"image": b"no image"}, {"audio": b"no sound"}, {"video": b"no clip", "retake": {}}):
        with pytest.raises(InvalidRequest) as raised:
            client.videos.create("a red fox", **fields)
        assert raised.value.fields[0].path == (next(iter(fields)),)
    with pytest.raises(InvalidRequest) as raised:
        client.videos.create("a red fox", keyframes=[Keyframe(b"no image", 0), Keyframe(b"no image", 500)])
    assert {problem.path[0] for problem in raised.value.fields} == {"keyframes"}
    assert {problem.path[2] for problem in raised.value.fields} <= {"image", "frame"}


def test_strict_requests_refuse_adjustments(client: LTX23) -> None:
    with pytest.raises(InvalidRequest, match=r"^width: "):
        client.videos.create("a red fox", strict=True, **SMALL | {"width": 260})


def test_a_key_and_an_address_come_from_the_environment(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTX23_SERVER", f"{rehearsal.url.removeprefix('http://')}/v1/")
    monkeypatch.delenv("LTX23_API_KEY", raising=False)
    with LTX23() as client, pytest.raises(Unauthorized, match="pass api_key, or set LTX23_API_KEY"):
        client.models()
    monkeypatch.setenv("LTX23_API_KEY", KEY)
    with LTX23() as client:
        [model] = client.models()

    assert model.is_tiny
    assert "retake" in model.features
    assert model.limits["width"]["multiple_of"] == 64
    assert model.loras == ()


@pytest.mark.parametrize("address", ["ftp://example.com", "http://", "http://example.com/?a=1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InputError, match="base_url: should be the address of a server"):
        LTX23(address)


def test_a_server_that_is_not_there() -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    with LTX23(address, retry_s=0) as client, pytest.raises(ConnectionFailed, match="start one with `ltx23 serve`"):
        client.health()


def test_a_server_that_is_loading_is_not_ready(loading: Loading) -> None:
    with LTX23(str(loading.client.base_url), retry_s=1) as client:
        health = client.health()
        with pytest.raises(Unavailable, match="loading") as raised:
            client.videos.create("a red fox")

    assert (health.is_ready, health.status) == (False, "loading")
    assert raised.value.retry_after_s


def test_a_server_without_an_enhancer_says_so(client: LTX23) -> None:
    with pytest.raises(Unavailable) as raised:
        LTX23.enhance(client, "a red fox", duration=2)

    assert raised.value.status == 503


def test_the_async_client_does_the_same(rehearsal: Rehearsal) -> None:
    async def use() -> None:
        async with async_client(rehearsal) as client:
            assert (await client.health()).is_ready
            assert (await client.models())[0].is_tiny
            video = await client.videos.create("a red fox", **SMALL)
            assert [event async for event in client.videos.events(video.id)][-1].status == "completed"  # type: ignore[union-attr]
            assert (await client.videos.wait(video.id)).id in [video.id async for video in client.videos.list(1)]
            assert (await client.videos.thumbnail(video.id))[8:12] == b"WEBP"
            remix = await client.videos.remix(video.id, "a blue fox")
            await client.videos.delete(remix.id)
            with pytest.raises(NotFound):
                await client.videos.get(remix.id)

    asyncio.run(use())
