"""The kinds of body that each path accepts. The refusal of a field shows that the body was read."""

import gzip
import json
from typing import Any

import httpx
import pytest

PATHS = ("/generate", "/v1/videos", "/enhance")
JSON = json.dumps({"prompt": ""}).encode()
FORM = b'--B\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n \r\n--B--\r\n'
MULTIPART = "multipart/form-data; boundary=B"

pytestmark = pytest.mark.parametrize("path", PATHS)


def post(client: httpx.Client, path: str, body: bytes, content_type: str) -> Any:
    response = client.post(path, content=body, headers={"Content-Type": content_type})
    assert response.status_code == 422, response.text
    [error] = response.json()["detail"]
    return error


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (JSON, "application/json; charset=utf-16"),
        (JSON, "application/x-www-form-urlencoded"),
        (JSON, "multipart/form-data"),
        (JSON, "text/xml"),
        (FORM, MULTIPART),
        (b"prompt=+", "application/x-www-form-urlencoded"),
    ],
)
def test_json_and_forms_are_read(client: httpx.Client, path: str, body: bytes, content_type: str) -> None:
    assert post(client, path, body, content_type)["loc"] == ["body", "prompt"]


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-7", "unicode_escape", "idna", "zip", "nonsense"])
def test_a_form_is_read_as_utf_8_whatever_codec_it_names(client: httpx.Client, path: str, charset: str) -> None:
    assert post(client, path, FORM, f"{MULTIPART}; charset={charset}")["loc"] == ["body", "prompt"]


def test_a_form_without_its_closing_boundary_is_refused(client: httpx.Client, path: str) -> None:
    error = post(client, path, FORM.removesuffix(b"--\r\n"), MULTIPART)
    assert error["loc"] == ["body"]
    assert "closing boundary" in error["msg"]


def test_a_form_without_a_boundary_is_refused(client: httpx.Client, path: str) -> None:
    assert "boundary" in post(client, path, FORM, "multipart/form-data")["msg"]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "Identity, GZIP", "x" * 5000])
def test_a_compressed_body_is_refused(client: httpx.Client, path: str, coding: str) -> None:
    response = client.post(path, content=gzip.compress(JSON), headers={"Content-Encoding": coding})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")
    detail = response.json()["detail"]
    assert "Content-Encoding" in detail
    assert (coding.lower() in detail) == (len(coding) < 100)


def test_the_coding_identity_is_accepted(client: httpx.Client, path: str) -> None:
    response = client.post(path, content=JSON, headers={"Content-Encoding": "identity"})
    assert response.json()["detail"][0]["loc"] == ["body", "prompt"]


@pytest.mark.parametrize("content_type", ["text/xml", "application/msgpack", "multipart/mixed; boundary=B"])
def test_an_unsupported_content_type_is_named(client: httpx.Client, path: str, content_type: str) -> None:
    response = client.post(path, content=b"\x81\xa6prompt", headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert content_type.partition(";")[0] in response.json()["detail"]
    assert "application/json" in response.json()["detail"]
