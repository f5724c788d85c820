"""GET /v1/videos/{id}/content?stream=true: the clip while it is decoded, and afterwards."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import httpx
import numpy as np
import pytest

from tests.conftest import Server
from tests.http.conftest import FILE_KEY, KEY
from tests.http.videos import PATH, SLOW, create, delete, finish, look

# Long enough that the encoder has given out packets before the last frame is decoded.
FIELDS: dict[str, Any] = {"width": 256, "height": 256, "num_frames": 121, "generate_audio": True}


def live(video: dict[str, Any]) -> str:
    return f"{PATH}/{video['id']}/content?stream=true"


def frames(data: bytes) -> tuple[list[np.ndarray], np.ndarray]:
    with av.open(io.BytesIO(data)) as clip:
        pictures = [frame.to_ndarray(format="gray") for frame in clip.decode(video=0)]
    with av.open(io.BytesIO(data)) as clip:
        return pictures, np.concatenate([frame.to_ndarray() for frame in clip.decode(audio=0)], axis=1)


def shows_the_same(first: bytes, second: bytes) -> bool:
    (pictures, sound), (others, other_sound) = frames(first), frames(second)
    return len(pictures) == len(others) and np.array_equal(pictures, others) and np.array_equal(sound, other_sound)


@pytest.mark.parametrize(("video_format", "head"), [("mp4", b"ftyp"), ("webm", b"webm")])
def test_a_clip_is_sent_while_it_is_decoded(client: httpx.Client, video_format: str, head: bytes) -> None:
    video = create(client, video_format=video_format, **FIELDS)

    with client.stream("GET", live(video)) as response:
        pieces = response.iter_raw()
        first = next(pieces)
        status = look(client, video)["status"]
        streamed = first + b"".join(pieces)

    assert (response.status_code, status) == (200, "in_progress")
    assert response.headers["content-type"] == f"video/{video_format}"
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    assert head in first[:64]
    finish(client, video)
    stored = client.get(f"{PATH}/{video['id']}/content").content
    assert shows_the_same(streamed, stored)
    body = FIELDS | {"prompt": "a red fox", "seed": 7, "video_format": video_format}
    assert stored == client.post("/generate", json=body).content
    delete(client, video)


def test_all_viewers_get_the_whole_clip_and_one_that_leaves_disturbs_nobody(client: httpx.Client) -> None:
    video = create(client, **FIELDS)
    has_left = threading.Event()

    def watch() -> bytes:
        return client.get(live(video)).content

    def watch_late() -> bytes:
        has_left.wait()
        return watch()

    with ThreadPoolExecutor() as viewers:
        early, late = viewers.submit(watch), viewers.submit(watch_late)
        with client.stream("GET", live(video)) as response:
            next(response.iter_raw())
        has_left.set()

    assert early.result() == late.result()
    finish(client, video)
    assert shows_the_same(early.result(), client.get(f"{PATH}/{video['id']}/content").content)
    delete(client, video)


def test_nothing_of_the_stream_is_left_beside_the_clip(server: Server, client: httpx.Client) -> None:
    video = create(client, **FIELDS)
    client.get(live(video))
    finish(client, video)
    client.get(f"{PATH}/{video['id']}/content", params={"variant": "thumbnail"})

    assert {path.name for path in (server.data_dir / "videos" / video["id"]).iterdir()} == {
        "clip.mp4",
        "thumbnail.webp",
    }
    delete(client, video)


@pytest.fixture(scope="module")
def done(client: httpx.Client) -> Iterator[dict[str, Any]]:
    video = finish(client, create(client, **FIELDS))
    yield video
    delete(client, video)


def test_a_finished_clip_is_sent_in_fragments(client: httpx.Client, done: dict[str, Any]) -> None:
    whole = client.get(live(done))

    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.headers["content-length"] == str(len(whole.content))
    assert b"moof" in whole.content
    plain = client.get(f"{PATH}/{done['id']}/content")
    assert b"moof" not in plain.content
    assert shows_the_same(whole.content, plain.content)
    assert whole.headers["etag"] != plain.headers["etag"]
    part = client.get(live(done), headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, whole.content[:10])
    assert client.get(live(done), headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


def test_stream_false_is_the_plain_file(client: httpx.Client, done: dict[str, Any]) -> None:
    path = f"{PATH}/{done['id']}/content"

    assert client.get(path, params={"stream": "false"}).content == client.get(path).content


def test_head_says_what_would_be_sent(client: httpx.Client) -> None:
    video = create(client, **SLOW)

    head = client.head(live(video))

    assert (head.status_code, head.headers["content-type"], head.content) == (200, "video/mp4", b"")
    assert "content-length" not in head.headers
    delete(client, video)


def test_a_deleted_video_ends_the_wait_for_it(client: httpx.Client) -> None:
    video, answers = create(client, **SLOW), []
    with ThreadPoolExecutor() as viewers:
        watched = viewers.submit(lambda: client.get(live(video)))
        delete(client, video)
        answers.append(watched.result())

    assert answers[0].status_code == 404
    assert answers[0].json()["error"]["code"] == "video_not_found"


def test_a_clip_that_is_deleted_while_it_is_decoded_is_cut_short(client: httpx.Client) -> None:
    video = create(client, **SLOW | {"width": 512})

    with client.stream("GET", live(video)) as response:
        pieces = response.iter_raw()
        next(pieces)
        delete(client, video)
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            list(pieces)


@pytest.mark.parametrize(
    ("params", "field"),
    [({"stream": "perhaps"}, "stream"), ({"stream": "true", "variant": "thumbnail"}, "stream")],
)
def test_what_cannot_be_streamed_is_refused_by_name(
    client: httpx.Client, done: dict[str, Any], params: dict[str, str], field: str
) -> None:
    response = client.get(f"{PATH}/{done['id']}/content", params=params)

    assert response.status_code == 422
    assert response.json()["error"]["param"] == field


def test_an_unknown_video_has_no_stream(client: httpx.Client) -> None:
    assert client.get(live({"id": "video_" + "0" * 32})).status_code == 404


def test_the_stream_of_another_key_is_not_found(guarded: Server) -> None:
    with guarded.client(headers={"Authorization": f"Bearer {KEY}"}) as owner, guarded.client() as other:
        video = create(owner, **FIELDS)
        assert other.get(live(video)).status_code == 401
        assert other.get(live(video), headers={"Authorization": f"Bearer {FILE_KEY}"}).status_code == 404
        assert owner.get(live(video)).status_code == 200
        link = finish(owner, video)["url"]
        assert other.get(f"{link}&stream=true").status_code == 200
        delete(owner, video)
