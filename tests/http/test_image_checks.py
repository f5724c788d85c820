"""Limits on checking the images of a request, and what ends a check."""

import http.client
import json
import signal
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.running_server import media_checkers
from tests.conftest import Server
from tests.http.conftest import SMALL, encode, picture, png
from tests.http.loading import Loading
from tests.http.videos import ids


def keyframes(images: list[str]) -> list[dict[str, object]]:
    return [{"image_b64": image, "frame_idx": i} for i, image in enumerate(images)]


def test_the_sum_of_pixels_in_a_request_is_limited(refuse: Callable) -> None:
    """The limit is checked from the headers: these images have no pixels, which decoding would report."""
    images = [encode(png(8000, 8000, zlib.compress(bytes([i])))) for i in range(6)]

    refusal = refuse(keyframes=keyframes(images))

    assert refusal.locs == ["body.keyframes.4.image_b64"]
    assert "more than 256 megapixels" in refusal.detail[0]["msg"]


def test_an_image_sent_several_times_is_decoded_once(refuse: Callable) -> None:
    """Nine images of this size have too many pixels; this one counts once and is refused as damaged."""
    refusal = refuse(keyframes=keyframes([encode(png(8000, 8000, zlib.compress(b"")))] * 9))

    assert refusal.locs == [f"body.keyframes.{i}.image_b64" for i in range(9)]
    assert "cut short or damaged" in refusal.detail[0]["msg"]


def test_a_refusal_names_every_field_with_the_image(refuse: Callable) -> None:
    bad = encode(b"text")

    refusal = refuse(keyframes=keyframes([bad, encode(picture()), bad]))

    assert refusal.locs == ["body.keyframes.0.image_b64", "body.keyframes.2.image_b64"]


def slow_jpeg() -> str:
    """Return a JPEG of 64 megapixels with 90 extra scans."""
    data = bytearray(picture("JPEG", progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = b"\x1f\x40\x1f\x40"
    scan = b"\xff\xda\0\x08\1\1\0\1\x3f\x10"
    return encode(bytes(data[:-2]) + scan * 90 + b"\xff\xd9")


SLOW = slow_jpeg()


@pytest.mark.parametrize("path", ["/generate", "/v1/videos", "/enhance"])
def test_a_client_that_disconnects_leaves_no_files(server: Server, client: httpx.Client, path: str) -> None:
    before = ids(client)
    fields = {"prompt": "a fox"} if path == "/enhance" else SMALL
    url = urlsplit(server.url)

    connection = http.client.HTTPConnection(url.netloc, timeout=120)
    connection.request("POST", path, json.dumps(fields | {"input_image_b64": SLOW}))
    folders = (server.temp_dir, server.data_dir)
    while not (images := [image for folder in folders for image in folder.rglob("image-*")]):
        pass
    connection.close()

    while any(image.parent.exists() for image in images):
        pass
    assert ids(client) == before


def test_a_stopping_server_does_not_wait_for_an_image_check(loading: Loading) -> None:
    """If it waited, the answer would be that there is no enhancer."""
    url = urlsplit(str(loading.client.base_url))
    connection = http.client.HTTPConnection(url.netloc, timeout=120)
    connection.request("POST", "/enhance", json.dumps({"prompt": "a fox", "input_image_b64": SLOW}))
    while not media_checkers(loading.process.pid):
        pass
    loading.process.send_signal(signal.SIGTERM)

    answer = connection.getresponse()
    assert answer.status == 503
    assert "the server is stopping" in json.loads(answer.read())["detail"]
    connection.close()
    loading.end()
    assert list(loading.temp_dir.iterdir()) == []
