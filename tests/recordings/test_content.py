import base64
import json
from typing import Any

import pytest

from server.recordings.content import read_content
from tests.http.conftest import encode, picture

JSON = "application/json"


def multipart(boundary: str, image: bytes) -> tuple[bytes, str]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na fox\r\n'
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="input_reference"; filename="a.png"\r\n\r\n'
    return (
        f"{head}{file}".encode() + image + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


def test_the_order_and_the_whitespace_of_json_do_not_matter() -> None:
    one = read_content(b'{"prompt": "a fox", "seed": 7, "keyframes": [1, 2]}', JSON)
    other = read_content(b'\xef\xbb\xbf{ "keyframes":[1,2],\n"seed":7,"prompt":"a f\\u006fx"}', "text/plain")

    assert one == other == {"json": {"prompt": "a fox", "seed": 7, "keyframes": [1, 2]}}


@pytest.mark.parametrize("change", [{"seed": "7"}, {"keyframes": [2, 1]}, {"prompt": "a Fox"}, {"fps": None}])
def test_every_value_matters(change: dict[str, Any]) -> None:
    fields = {"prompt": "a fox", "seed": 7, "keyframes": [1, 2]}

    assert read_content(json.dumps(fields).encode(), JSON) != read_content(json.dumps(fields | change).encode(), JSON)


def test_an_image_is_compared_by_its_hash_however_it_is_written() -> None:
    image = picture()
    ways = [
        encode(image),
        "data:image/png;base64," + encode(image),
        base64.encodebytes(image).decode(),
        base64.urlsafe_b64encode(image).decode().rstrip("="),
    ]
    contents = [read_content(json.dumps({"keyframes": [{"image_b64": way}]}).encode(), JSON) for way in ways]

    assert [content for content in contents if content != contents[0]] == []
    (shown,) = (contents[0] or {})["json"]["keyframes"]
    assert shown["image_b64"].keys() == {"sha256", "bytes"}
    other = json.dumps({"keyframes": [{"image_b64": encode(picture(color="blue"))}]})
    assert read_content(other.encode(), JSON) != contents[0]


def test_the_boundary_of_a_form_does_not_matter() -> None:
    one, other, another = multipart("a", picture()), multipart("bb", picture()), multipart("a", picture(color="blue"))

    assert read_content(*one) == read_content(*other)
    assert read_content(*one) != read_content(*another)
    assert (read_content(*one) or {})["form"]["prompt"] == "a fox"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", JSON),
        (b"[" * 100_000, JSON),
        (b"--a\r\n", "multipart/form-data; boundary=a"),
        (b"\xff\xfe", "multipart/form-data"),
        (picture(), "image/png"),
    ],
)
def test_anything_else_is_compared_by_its_bytes(body: bytes, content_type: str) -> None:
    content = read_content(body, content_type)

    assert content == read_content(body, content_type) != read_content(body + b" ", content_type)
    assert (content or {}).keys() == {"sha256"}


def test_a_lone_surrogate_can_be_written() -> None:
    assert json.dumps(read_content(b'{"prompt": "\\ud800"}', JSON)).isascii()


def test_a_sound_is_known_by_its_bytes_however_it_is_sent() -> None:
    sound = base64.b64encode(b"fLaC" + bytes(range(60))).decode()
    one, other = ({"audio_b64": text} for text in (sound, f"data:audio/flac;base64,{sound}"))

    found = read_content(json.dumps(one).encode(), JSON)

    assert found == read_content(json.dumps(other).encode(), JSON)
    assert (found or {})["json"]["audio_b64"].keys() == {"sha256", "bytes"}
