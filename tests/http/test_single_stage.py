"""A server with one stage, told to listen everywhere but without a key; and the files that its jobs leave."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import Server, run_server
from tests.http.conftest import SMALL, encode, picture, png
from weights.tiny import TinyFiles


@pytest.fixture(scope="module")
def temp_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("single")


@pytest.fixture(scope="module")
def single(cache_dir: Path, tiny: TinyFiles, temp_dir: Path) -> Iterator[Server]:
    with run_server(cache_dir, temp_dir, "--host", "0.0.0.0", "--stages", "1") as running:
        yield running


@pytest.fixture(scope="module")
def client(single: Server) -> Iterator[httpx.Client]:
    with single.client() as client:
        yield client


def left_behind(temp_dir: Path) -> list[Path]:
    return list(temp_dir.rglob("job-*"))


def test_a_server_without_a_key_listens_only_on_loopback(single: Server) -> None:
    url = httpx.URL(single.url)

    assert url.host == "127.0.0.1"
    assert any("loopback only, not on 0.0.0.0" in line for line in single.lines)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url.copy_with(host="127.0.0.2").join("/livez"), trust_env=False)


def test_one_stage_renders_the_same_kind_of_clip(client: httpx.Client) -> None:
    assert client.get("/models").json()["data"][0]["stages"] == 1

    response = client.post("/generate", json=SMALL)

    assert response.status_code == 200
    assert response.headers["x-ltx-width"] == "256"


def test_an_image_changes_a_clip_of_one_stage(client: httpx.Client, temp_dir: Path) -> None:
    bodies = [SMALL, SMALL | {"input_image_b64": encode(picture())}]

    plain, conditioned = (client.post("/generate", json=body) for body in bodies)

    assert plain.status_code == conditioned.status_code == 200
    assert plain.content != conditioned.content
    assert left_behind(temp_dir) == []


def test_a_refused_request_leaves_no_files(client: httpx.Client, temp_dir: Path) -> None:
    damaged = encode(png(64, 64, b"garbage"))

    assert client.post("/generate", json=SMALL | {"input_image_b64": damaged}).status_code == 422
    assert left_behind(temp_dir) == []


def test_a_client_that_disconnects_in_its_body_causes_no_error(single: Server, client: httpx.Client) -> None:
    url = httpx.URL(single.url)
    with socket.create_connection((url.host, url.port)) as leaver:
        leaver.sendall(f"POST /generate HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 100\r\n\r\n{{".encode())

    assert client.post("/generate", json=SMALL).status_code == 200
    assert not any("Traceback" in line for line in single.lines)


def test_a_failure_of_the_server_shows_no_stack_trace(client: httpx.Client, temp_dir: Path, tmp_path: Path) -> None:
    """The server fails because its folder for jobs is gone."""
    [root] = temp_dir.iterdir()
    root.rename(aside := tmp_path / "aside")
    root.touch()
    response = client.post("/generate", json=SMALL, headers={"X-Request-ID": "broken"})
    root.unlink()
    aside.rename(root)

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "broken"
    assert response.headers["connection"] == "close"
    assert response.json().keys() == {"detail"}
    assert not any(word in response.text for word in ("Traceback", "Error:", ".py", str(root)))
    assert client.post("/generate", json=SMALL).status_code == 200


def test_the_server_does_not_load_torch(single: Server, client: httpx.Client) -> None:
    assert client.post("/generate", json=SMALL).status_code == 200

    files = [Path(mapped.path).name for mapped in psutil.Process(single.process.pid).memory_maps()]
    assert not [name for name in files if name.startswith(("libtorch", "libavcodec"))]
