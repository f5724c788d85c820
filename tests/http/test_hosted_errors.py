"""A server with the statuses, bodies and headers of the hosted platform."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from openai import OpenAI, RateLimitError

from server.worker.messages import Ready
from tests.http.conftest import KEY, SMALL
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.waiting import wait_for

MODEL = "77711d2c-c0ec-5378-90a9-41823591058b"
ALL_PATHS = ["/generate", "/health", "/livez", "/models", "/openapi.json", "/", "/docs", "/metrics", "/nowhere"]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Run a server with a key whose worker dies at the prompt "die"."""
    work = tmp_path_factory.mktemp("hosted")
    settings: dict[str, Any] = {"errors": "hosted", "api_keys": KEY, "max_body_bytes": 10_000}
    with serve(program_of("killed_in_a_render"), work, cache_dir=work, **settings) as served:
        served.told(Ready)
        served.client.headers["authorization"] = f"Bearer {KEY}"
        yield served.client


@pytest.mark.parametrize("path", ALL_PATHS)
def test_every_path_needs_a_key(hosted: httpx.Client, path: str) -> None:
    missing = httpx.get(hosted.base_url.join(path), trust_env=False)
    wrong = httpx.get(hosted.base_url.join(path), headers={"Authorization": "Bearer wrong"}, trust_env=False)

    assert (missing.status_code, missing.json()) == (401, {"detail": "Authentication required."})
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Invalid token or user not found"})
    assert "www-authenticate" not in missing.headers


@pytest.mark.parametrize("path", ["/generate", "/v1/videos", "/v1/videos/sync", "/enhance"])
@pytest.mark.parametrize("fields", [{"width": "wide"}, {"prompt": None}, {"num_frames": -1}], ids=str)
def test_invalid_fields_are_a_400_without_their_names(hosted: httpx.Client, path: str, fields: dict[str, Any]) -> None:
    response = hosted.post(path, json=SMALL | {"image": None} | fields if path != "/enhance" else {"prompt": ""})

    assert (response.status_code, response.json()) == (400, {"detail": "Invalid input parameters"})
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
@pytest.mark.parametrize("path", ["/generate", "/v1/videos"])
def test_invalid_json_is_a_400_with_the_reason(hosted: httpx.Client, path: str, body: bytes) -> None:
    response = hosted.post(path, content=body)

    assert response.status_code == 400
    assert response.json().keys() == {"detail"}
    assert response.json()["detail"].startswith("invalid request JSON payload: The body ")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/v1/nowhere"), ("GET", "/generate")])
def test_an_unknown_path_or_method_is_a_404(hosted: httpx.Client, method: str, path: str) -> None:
    response = hosted.request(method, path)

    assert (response.status_code, response.json()) == (404, {"detail": "No matching cord found!"})


def test_a_full_queue_is_a_429_without_advice(tmp_path: Path) -> None:
    with serve(program_of("cancels"), tmp_path, cache_dir=tmp_path, errors="hosted", queue_size=0) as served:
        served.told(Ready)
        with closing(send(served.client, SMALL | {"prompt": "long"})), httpx2.Client(trust_env=False) as http:
            wait_for_running(served.client)
            response = served.client.post("/generate", json=SMALL)
            url = str(served.client.base_url.join("/v1"))
            openai = OpenAI(base_url=url, api_key=KEY, http_client=http, max_retries=0)
            with pytest.raises(RateLimitError) as refusal:
                openai.post("/videos", body=SMALL, cast_to=object)

    detail = {"detail": "Infrastructure is at maximum capacity, try again later"}
    assert (response.status_code, response.json()) == (429, detail)
    assert "retry-after" not in response.headers
    assert refusal.value.body == detail


def send(client: httpx.Client, body: dict[str, Any]) -> HTTPConnection:
    """Send a request without waiting for its answer."""
    connection = HTTPConnection(client.base_url.host, client.base_url.port)
    connection.request("POST", "/generate", json.dumps(body), {"Authorization": f"Bearer {KEY}"})
    return connection


def wait_for_running(client: httpx.Client) -> None:
    """Wait until a clip is being rendered; a /health without room has only the platform's words."""
    wait_for(lambda: client.get("/health").status_code == 503)


def test_a_worker_that_dies_is_a_500(hosted: httpx.Client) -> None:
    response = hosted.post("/generate", json=SMALL | {"prompt": "die"})

    assert (response.status_code, response.json()) == (500, {"detail": "exhausted all available targets to no avail"})


def test_a_model_that_loads_is_a_503(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    with serve(program_of("slow_to_load"), tmp_path, cache_dir=tmp_path, errors="hosted") as served:
        responses = [served.ask("a fox"), served.client.get("/health")]
        (tmp_path / "go").write_bytes(b"go")

    for response in responses:
        detail = {"detail": f"No instances available (yet) for chute_id='{MODEL}'"}
        assert (response.status_code, response.json()) == (503, detail)
        assert "retry-after" not in response.headers


def test_a_body_that_is_too_large_keeps_its_answer(hosted: httpx.Client) -> None:
    response = hosted.post("/generate", content=b"x" * 10_001)

    assert response.status_code == 413
    assert response.json() == {"detail": "The request body is larger than the limit of 10000 bytes."}


def test_a_clip_is_streamed_and_has_an_invocation_id(tmp_path: Path) -> None:
    with serve(program_of("behaves"), tmp_path, cache_dir=tmp_path, errors="hosted") as served:
        served.told(Ready)
        clip, again, models = served.ask("a fox"), served.ask("a fox"), served.client.get("/models")

    assert clip.headers["content-type"] == "video/mp4"
    assert clip.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in clip.headers
    assert clip.content == again.content != b""
    assert models.headers["content-length"] == str(len(models.content))
    ids = {uuid.UUID(response.headers["x-chutes-invocationid"]).version for response in (clip, again, models)}
    assert ids == {4}
    assert clip.headers["x-chutes-invocationid"] != again.headers["x-chutes-invocationid"]
