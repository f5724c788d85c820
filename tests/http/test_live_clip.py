"""GET /v1/videos/{id}/content?stream=true: the clip while it is decoded, and afterwards."""

import io
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


@pytest.fixture(scope="module")
def done(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Create a video that nobody watches."""
    video = finish(client, create(client, **FIELDS))
    yield video
    delete(client, video)


@pytest.mark.parametrize(("video_format", "head"), [("mp4", b"ftyp"), ("webm", b"webm")])
def test_all_viewers_get_the_clip_while_it_is_decoded_and_one_that_leaves_disturbs_nobody(
    server: Server, client: httpx.Client, done: dict[str, Any], video_format: str, head: bytes
) -> None:
    video = create(client, video_format=video_format, **FIELDS)

    with ThreadPoolExecutor() as viewers:
        early = viewers.submit(client.get, live(video))
        with client.stream("GET", live(video)) as leaving:
            assert head in next(leaving.iter_raw())[:64]
            status = look(client, video)["status"]
        late = viewers.submit(client.get, live(video))
        response = early.result()

    assert (response.status_code, status) == (200, "in_progress")
    assert response.headers["content-type"] == f"video/{video_format}"
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    assert response.content == late.result().content
    finish(client, video)
    stored = client.get(f"{PATH}/{video['id']}/content").content
    assert shows_the_same(response.content, stored)
    if video_format == done["video_format"]:
        assert stored == client.get(f"{PATH}/{done['id']}/content").content
    client.get(f"{PATH}/{video['id']}/content", params={"variant": "thumbnail"})
    left = {path.name for path in (server.data_dir / "videos" / video["id"]).iterdir()}
    assert left == {f"clip.{video_format}", "thumbnail.webp"}
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
        video = create(owner)
        assert other.get(live(video)).status_code == 401
        assert other.get(live(video), headers={"Authorization": f"Bearer {FILE_KEY}"}).status_code == 404
        assert owner.get(live(video)).status_code == 200
        link = finish(owner, video)["url"]
        assert other.get(f"{link}&stream=true").status_code == 200
        delete(owner, video)
