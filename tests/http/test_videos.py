"""/v1/videos over HTTP: the file and its ranges, deletion in every state, and errors by field."""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import av
import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from tests.conftest import Server
from tests.http.conftest import SMALL, STRICT, picture
from tests.http.videos import PATH, SLOW, begin, create, delete, events, finish, look

FIELDS = {"num_frames": 9, "generate_audio": False}


@pytest.fixture(scope="module")
def done(client: httpx.Client) -> Iterator[dict[str, Any]]:
    video = finish(client, create(client))
    yield video
    delete(client, video)


@pytest.fixture(scope="module")
def clip(client: httpx.Client, done: dict[str, Any]) -> bytes:
    return client.get(f"{PATH}/{done['id']}/content").content


def test_the_file_equals_that_of_generate(client: httpx.Client, done: dict[str, Any], clip: bytes) -> None:
    assert clip == client.post("/generate", json=SMALL).content
    assert done["size_bytes"] == len(clip)
    assert look(client, done) == done


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-50", slice(-50, None)),
        ("bytes=0-99999999", slice(None)),
    ],
)
def test_a_range_returns_a_part_of_the_file(
    client: httpx.Client, done: dict[str, Any], clip: bytes, wanted: str, part: slice
) -> None:
    response = client.get(f"{PATH}/{done['id']}/content", headers={"Range": wanted})

    start, stop, _ = part.indices(len(clip))
    assert response.status_code == 206
    assert response.content == clip[part]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(clip)}"
    assert response.headers["content-type"] == "video/mp4"


def test_several_ranges_return_several_parts_of_the_file(
    client: httpx.Client, done: dict[str, Any], clip: bytes
) -> None:
    """A range beyond the file is left out."""
    wanted = f"bytes=0-9, {len(clip)}-, -5"
    response = client.get(f"{PATH}/{done['id']}/content", headers={"Range": wanted})

    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")
    for start, stop in ((0, 10), (len(clip) - 5, len(clip))):
        head = f"Content-Range: bytes {start}-{stop - 1}/{len(clip)}\r\n\r\n".encode()
        assert head + clip[start:stop] + b"\r\n--" in response.content
    assert response.content.count(b"Content-Range") == 2


@pytest.mark.parametrize("wanted", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0", "bytes={size}-, -0"])
def test_a_range_beyond_the_file_gets_a_416(
    client: httpx.Client, done: dict[str, Any], clip: bytes, wanted: str
) -> None:
    response = client.get(f"{PATH}/{done['id']}/content", headers={"Range": wanted.format(size=len(clip))})

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(clip)}"
    assert response.headers["content-type"] == "application/json"
    assert f"the file has {len(clip)} bytes" in response.json()["detail"]
    assert response.json()["error"]["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=x", "bytes=-", "bytes=9-5", "bytes=0-5,x", "bytes=+1-5", "frames=0-5", "0-5"],
)
def test_an_invalid_range_is_ignored(client: httpx.Client, done: dict[str, Any], clip: bytes, wanted: str) -> None:
    response = client.get(f"{PATH}/{done['id']}/content", headers={"Range": wanted})

    assert (response.status_code, response.content) == (200, clip)


def test_if_range_returns_the_whole_file_if_it_changed(client: httpx.Client, done: dict[str, Any], clip: bytes) -> None:
    path = f"{PATH}/{done['id']}/content"
    seen = client.head(path).headers

    for name in ("etag", "last-modified"):
        part = client.get(path, headers={"Range": "bytes=0-9", "If-Range": seen[name]})
        assert (part.status_code, part.content) == (206, clip[:10])
    for wanted in ("bytes=0-9", f"bytes={len(clip)}-"):
        whole = client.get(path, headers={"Range": wanted, "If-Range": '"another"'})
        assert (whole.status_code, whole.content) == (200, clip)


@pytest.mark.parametrize("params", [{}, {"variant": "thumbnail"}])
def test_a_file_that_the_client_has_is_not_sent_again(
    client: httpx.Client, done: dict[str, Any], params: dict[str, str]
) -> None:
    path = f"{PATH}/{done['id']}/content"
    etag = client.get(path, params=params).headers["etag"]

    for known in (etag, f'"another", W/{etag}', "*"):
        answer = client.get(path, params=params, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert "content-length" not in answer.headers
    assert client.get(path, params=params, headers={"If-None-Match": '"another"'}).status_code == 200


def test_head_describes_the_file_without_sending_it(client: httpx.Client, done: dict[str, Any], clip: bytes) -> None:
    """HEAD ignores a range."""
    for headers in ({}, {"Range": "bytes=0-9"}):
        response = client.head(f"{PATH}/{done['id']}/content", headers=headers)

        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == str(len(clip))
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("variant", "media_type", "size"),
    # 9 frames of 256x256, in rows of 4.
    [("thumbnail", "image/webp", (256, 256)), ("spritesheet", "image/jpeg", (1024, 768))],
)
def test_previews_show_the_clip(
    client: httpx.Client, done: dict[str, Any], clip: bytes, variant: str, media_type: str, size: tuple[int, int]
) -> None:
    path, params = f"{PATH}/{done['id']}/content", {"variant": variant}
    response = client.get(path, params=params)

    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    picture = Image.open(io.BytesIO(response.content)).convert("RGB")
    assert picture.size == size
    with av.open(io.BytesIO(clip)) as container:
        first = next(container.decode(video=0)).to_image()
    difference = ImageChops.difference(picture.crop((0, 0, 256, 256)), first)
    assert max(ImageStat.Stat(difference).mean) < 10

    part = client.get(path, params=params, headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, response.content[:2])
    head = client.head(path, params=params)
    assert head.headers["content-length"] == str(len(response.content))
    assert client.get(path, params=params).headers["etag"] == response.headers["etag"]
    assert look(client, done)["size_bytes"] == len(clip)


def test_previews_count_towards_the_size_of_their_video(
    server: Server, client: httpx.Client, done: dict[str, Any]
) -> None:
    for variant in ("thumbnail", "spritesheet"):
        client.get(f"{PATH}/{done['id']}/content", params={"variant": variant})

    files = {path.name: path.stat().st_size for path in (server.data_dir / "videos" / done["id"]).iterdir()}
    with closing(sqlite3.connect(f"file:{server.data_dir / 'videos.sqlite3'}?mode=ro", uri=True)) as database:
        [[recorded]] = database.execute("SELECT size_bytes FROM videos WHERE id = ?", [done["id"]])
    assert files.keys() == {"clip.mp4", "thumbnail.webp", "spritesheet.jpg"}
    assert recorded == sum(files.values())


def test_an_unknown_variant_is_refused_by_name(client: httpx.Client, done: dict[str, Any]) -> None:
    response = client.get(f"{PATH}/{done['id']}/content", params={"variant": "poster"})

    assert response.status_code == 422
    assert response.json()["error"]["param"] == "variant"
    assert "'video', 'thumbnail' or 'spritesheet'" in response.json()["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("suffix", ["", "/content", "/events"])
@pytest.mark.parametrize("video_id", ["video_" + "0" * 32, "..%2f..%2fetc", "x" * 5000])
def test_an_unknown_video_is_not_found(client: httpx.Client, method: str, suffix: str, video_id: str) -> None:
    response = client.request(method, f"{PATH}/{video_id}{suffix}")

    assert response.status_code in ({404} if method == "GET" or not suffix else {404, 405})
    assert response.json().keys() == {"detail", "error"}
    assert len(response.content) < 1000


def test_a_video_can_be_deleted_while_it_waits_and_while_it_runs(client: httpx.Client) -> None:
    running, waiting = create(client, **SLOW), create(client, **SLOW)
    begin(client, running)
    assert [look(client, video)["status"] for video in (running, waiting)] == ["in_progress", "queued"]
    refused = client.get(f"{PATH}/{running['id']}/content")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "video_not_finished")

    delete(client, waiting)
    delete(client, running)

    for video in (waiting, running):
        assert client.get(f"{PATH}/{video['id']}").status_code == 404
        assert client.delete(f"{PATH}/{video['id']}").status_code == 404
    assert client.get("/health").json()["queue"] == {"depth": 0, "capacity": 8, "running": 0}
    listed = client.get(PATH).json()["data"]
    assert not {running["id"], waiting["id"]} & {video["id"] for video in listed}


def test_events_report_the_progress_of_a_video_in_order(client: httpx.Client) -> None:
    ahead, behind = create(client, **SLOW), create(client)
    begin(client, ahead)
    told = events(client, behind)
    first = next(told)
    assert first[0] == "progress"
    assert (first[1]["status"], first[1]["position"], first[1]["percent"]) == ("queued", 1, 0)
    assert first[1]["seconds_left"] > 0

    delete(client, ahead)
    rest = list(told)

    names, progress = [name for name, _ in rest], [data for name, data in rest if name == "progress"]
    assert set(names[:-1]) <= {"progress", "preview"}
    assert names[-1] == "completed"
    percents = [data["percent"] for data in progress]
    assert percents == sorted(percents)
    # A busy server may skip events, but does not reorder them.
    stages = [data["stage"] for data in progress if data["stage"]]
    assert stages
    assert stages == sorted(stages, key=["encode", "stage_1", "upsample", "stage_2", "decode", "mux"].index)
    assert all(data["step"] <= data["steps"] for data in progress)
    assert rest[-1][1] == look(client, behind)
    # A late client gets the last event at once.
    assert [name for name, _ in events(client, behind)] == ["completed"]
    delete(client, behind)


def test_events_report_a_deletion(client: httpx.Client) -> None:
    video = create(client, **SLOW)
    told = events(client, video)
    assert next(told)[0] == "progress"
    delete(client, video)

    assert list(told)[-1] == ("cancelled", {"id": video["id"], "status": "cancelled"})


def test_a_browser_that_has_had_the_last_event_gets_a_204(client: httpx.Client, done: dict[str, Any]) -> None:
    response = client.get(f"{PATH}/{done['id']}/events", headers={"Last-Event-ID": "last"})

    assert response.status_code == 204


def test_strict_handling_refuses_adjustments_by_field(client: httpx.Client) -> None:
    for fields, param in (({"model": "sora-2"}, "model"), ({"size": "250x256"}, "size"), ({"style": 1}, "style")):
        response = client.post(
            PATH, json={"prompt": "a fox", "num_frames": 9, "size": "256x256"} | fields, headers=STRICT
        )
        assert response.status_code == 422
        assert response.headers["preference-applied"] == "handling=strict"
        assert response.json()["error"]["param"] == param
        assert response.json()["detail"][0]["loc"] == ["body", param]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up"])
def test_an_invalid_parameter_of_the_list_is_refused_by_name(client: httpx.Client, query: str) -> None:
    response = client.get(f"{PATH}?{query}")

    assert response.status_code == 422
    assert response.json()["error"]["param"] == query.partition("=")[0]


@pytest.mark.parametrize("after", ["video_1", "nothing", "video_" + "0" * 32])
def test_a_list_after_an_unknown_video_is_empty(client: httpx.Client, done: dict[str, Any], after: str) -> None:
    page = client.get(PATH, params={"after": after}).json()

    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert done in client.get(PATH, params={"after": ""}).json()["data"]


def test_a_request_for_the_file_is_answered_with_the_clip(client: httpx.Client) -> None:
    response = client.post(f"{PATH}/sync", json={"prompt": "a fox", "size": "256x256"} | FIELDS | {"seed": 7})

    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert float(response.headers["x-inference-time-s"]) > 0
    assert float(response.headers["x-peak-memory-mb"]) > 0
    assert response.content == client.post("/generate", json=SMALL | {"prompt": "a fox"}).content
    refused = client.post(f"{PATH}/sync", json={"prompt": "a fox", "seconds": "soon"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "seconds")


@pytest.mark.parametrize(
    ("asked", "seconds", "duration"),
    [
        ({"seconds": "1"}, "1", 1.041667),
        ({"seconds": "1.2"}, "1.2", 1.041667),
        ({"duration": 1}, "1", 1.041667),
        ({"num_frames": 9}, "1", 0.375),
        ({"num_frames": 33}, "1", 1.375),
        # The clip is shortened, which an adjustment reports.
        ({"seconds": "90"}, "20", 20.041667),
    ],
)
def test_seconds_are_those_that_were_requested(
    client: httpx.Client, asked: dict[str, Any], seconds: str, duration: float
) -> None:
    video = client.post(PATH, json={"prompt": "a fox", "size": "256x256"} | asked).json()
    delete(client, video)

    assert (video["seconds"], video["duration"]) == (seconds, duration)


def test_render_time_and_peak_memory_are_reported(done: dict[str, Any]) -> None:
    assert done["inference_time_s"] == pytest.approx(
        sum(seconds for name, seconds in done["timings"].items() if name not in {"queue", "enhance"}), abs=1e-3
    )
    assert done["peak_memory_mb"] > 0


def test_a_form_as_a_browser_sends_it(client: httpx.Client) -> None:
    """Send a ticked box, blank fields, a file input without a file, and one with a file."""
    blank = [(name, (None, "")) for name in ("seconds", "fps", "keyframes", "model", "video_format")]
    files: list[tuple[str, Any]] = [
        ("prompt", (None, "a fox")),
        ("size", (None, "auto")),
        ("aspect_ratio", (None, "1:1")),
        *blank,
    ]
    files += [("generate_audio", (None, "False")), ("enhance_prompt", (None, "off")), ("num_frames", (None, "9"))]
    files += [
        ("image", ("", b"", "application/octet-stream")),
        ("input_reference[]", ("a.png", picture(), "image/png")),
    ]
    response = client.post(PATH, files=files, headers=STRICT)

    assert response.status_code == 200, response.text
    video = response.json()
    delete(client, video)
    assert (video["size"], video["has_audio"], video["adjustments"]) == ("512x512", False, [])


def test_a_form_with_an_uneven_list_is_refused(client: httpx.Client) -> None:
    files = [("prompt", (None, "a fox"))]
    files += [("keyframes[][frame_idx]", (None, "0")), ("keyframes[][frame_idx]", (None, "-1"))]
    files += [("keyframes[][image_b64]", (None, "AAAA"))]
    response = client.post(PATH, files=files)

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "form_list_uneven"


def test_an_invalid_form_is_refused(client: httpx.Client) -> None:
    for body, content_type in ((b"--x", "multipart/form-data"), (b"nonsense", "multipart/form-data; boundary=x")):
        response = client.post(PATH, content=body, headers={"Content-Type": content_type})
        assert response.status_code in {400, 422}
        assert response.json().keys() == {"detail", "error"}
