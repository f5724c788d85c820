"""A clip that does not fit into memory is refused before it is queued; the placement of models is reported."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, run_server

TOO_LARGE = {"prompt": "a fox", "width": 3840, "height": 2160, "num_frames": 121}


@pytest.fixture(scope="module")
def small(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with one gigabyte of memory."""
    with run_server(cache_dir, tmp_path_factory.mktemp("work"), "--vram", "1", "--memory", "low") as server:
        yield server


@pytest.fixture
def client(small: Server) -> Iterator[httpx.Client]:
    with small.client() as client:
        yield client


def test_the_refusal_names_sizes_that_really_fit(client: httpx.Client) -> None:
    answer = client.post("/generate", json=TOO_LARGE)

    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body"]
    assert error["type"] == "does_not_fit"
    assert error["msg"].startswith("3840x2176 with 121 frames needs ")
    assert "the device has 1.0 GB for it; " in error["msg"]
    width, height = error["msg"].split("; ")[1].split(" with ")[0].split("x")
    refused_again = client.post("/generate", json=TOO_LARGE | {"width": 3840, "height": 2112})
    assert refused_again.status_code == 422
    assert 256 <= int(height) < 2112
    assert int(width) % 64 == 0


def test_a_clip_that_fits_is_rendered(client: httpx.Client) -> None:
    answer = client.post("/generate", json={"prompt": "a fox", "width": 256, "height": 256, "num_frames": 9})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "video/mp4"


def test_models_reports_where_each_model_is(client: httpx.Client) -> None:
    memory = client.get("/models").json()["data"][0]["memory"]

    assert memory["level"] == "low"
    assert memory["streamed"] == []  # a CPU has no second memory to stream from
    assert memory["capacity_bytes"] == 10**9
    components = memory["components"]
    assert sum(components.values()) == memory["resident_bytes"] + memory["host_bytes"]
    assert memory["host_bytes"] == 0
    assert memory["resident_bytes"] < memory["default_clip_peak_bytes"] < 10**9


def test_the_terminal_shows_where_each_model_is(small: Server) -> None:
    (line,) = [line for line in small.lines if "Memory: " in line]

    assert " GB stay on the device; a default clip peaks at " in line
    assert "of 1.00 GB" in line
