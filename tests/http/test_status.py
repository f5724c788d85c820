"""GET /health, /livez and /models of a ready server."""

from collections.abc import Iterator

import httpx
import pytest

from server.routes.models import describe_licenses
from server.worker.messages import ModelInfo
from tests.http.conftest import SMALL
from tests.http.videos import create, delete, finish


@pytest.mark.parametrize("path", ["/health", "/livez", "/models", "/v1/models", "/openapi.json"])
def test_a_get_may_have_a_body(client: httpx.Client, path: str) -> None:
    response = client.request("GET", path, content=b"{}", headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content.isascii()


@pytest.fixture(scope="module")
def readable(client: httpx.Client) -> Iterator[list[str]]:
    """Return every path that answers GET, with a video that is done."""
    video = finish(client, create(client))
    described = [path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods]
    described += ["/", "/docs", "/docs/start.js", "/openapi.json", "/nowhere", "/generate"]
    yield [path.replace("{video_id}", video["id"]).replace("{model_id}", "LTX-23-Video") for path in described]
    delete(client, video)


def test_head_is_answered_on_every_path_that_answers_get(client: httpx.Client, readable: list[str]) -> None:
    assert len(readable) > 12
    for path in readable:
        with client.stream("GET", path) as get:
            head = client.head(path)
        assert head.status_code == get.status_code, path
        assert head.content == b""
        names = set(get.headers) - {"transfer-encoding"}
        assert names <= set(head.headers), path
        assert head.headers.get("content-type") == get.headers.get("content-type"), path


@pytest.mark.parametrize("path", ["/health/", "//health", "/v1//models/"])
def test_paths_with_extra_slashes_are_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_health_of_a_ready_server(client: httpx.Client) -> None:
    body = client.get("/health").json()

    assert body["status"] == "ok"
    assert body["model"] == "LTX-23-Video"
    assert body["device"] == "cpu"
    assert body["uptime_s"] > 0
    assert body["queue"] == {"depth": 0, "capacity": 8, "running": 0}
    assert body["memory"]["resident_bytes"] > 0
    assert "loading" not in body.keys() | body["workers"][0].keys()


def test_livez_of_a_ready_server(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}


def test_models_describes_the_model(client: httpx.Client) -> None:
    listed = client.get("/models").json()

    assert listed["object"] == "list"
    [model] = listed["data"]
    assert (model["id"], model["object"]) == ("LTX-23-Video", "model")
    assert model["checkpoint"].endswith(".safetensors")
    assert model["precision"] == "float32"
    assert model["encoder"] == "libx264"
    assert model["modes"] == ["text-to-video", "image-to-video", "keyframes"]
    assert {"preview", "stream", "thumbnails"} <= set(model["features"])
    assert model["limits"]["width"] == {"min": 256, "max": 3840, "multiple_of": 64}
    assert model["defaults"]["width"] == 768
    assert model["license"] == []
    assert client.get("/v1/models").json() == listed


def test_the_weights_name_their_licences() -> None:
    model = ModelInfo("ltx-2.3-22b-distilled-1.1.safetensors", is_tiny=False, device="cuda", dtype="bfloat16")

    names = {license["model"]: license["name"] for license in describe_licenses(model)}
    assert names == {
        "LTX-2.3": "LTX-2 Community License Agreement of 5 January 2026",
        "Gemma 3": "Gemma Terms of Use",
    }


def test_a_server_without_loras_says_so(client: httpx.Client) -> None:
    (model,) = client.get("/models").json()["data"]
    assert "lora" not in model["features"]
    assert model["loras"] == []

    refused = client.post("/generate", json=SMALL | {"loras": [{"name": "swap"}]})

    assert refused.status_code == 422
    assert "There are no LoRAs here: a server has those of --lora NAME=PATH and --lora-dir FOLDER" in refused.text
