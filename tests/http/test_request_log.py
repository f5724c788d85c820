"""The request log: one line for each request, without anything private of its client."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server, run_server
from tests.http.conftest import KEY, SMALL, closed_port, encode, picture
from tests.http.videos import PATH
from weights.tiny import TinyFiles

PROMPT = "a very private fox\nINFO:     forged"
CLIP: dict[str, Any] = SMALL | {
    "prompt": PROMPT,
    "width": 250,
    "enhance_prompt": True,
    "input_image_b64": encode(picture()),
}
NAMED = {"Authorization": f"Bearer {KEY}", "X-Request-ID": "mine"}
# In this order, the requests create a video, render a clip, find the clip, and find the video.
STORED = ((PATH, "created"), ("/generate", "awaited"), ("/generate", "awaited"), (PATH, "created"))


class Log:
    """The log of a server that has ended."""

    def __init__(self, lines: list[str]) -> None:
        self.text = "".join(lines)
        self.lines = [line.rstrip("\n") for line in lines]

    @property
    def requests(self) -> list[str]:
        return [line for line in self.lines if "ltx23.request" in line]

    def requests_of(self, route: str) -> list[dict[str, Any]]:
        return [line for line in self.objects if line["logger"] == "ltx23.request" and line["route"] == route]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def ask(server: Server) -> httpx.Response:
    """Request a clip with an enhancer that does not answer, three refusals, and stored videos."""
    with server.client() as client:
        clip = client.post("/generate", json=CLIP, headers=NAMED)
        client.post("/generate", json=CLIP | {"width": "wide"}, headers=NAMED)
        client.post("/generate?key=in-the-query", json=CLIP, headers={"x-api-key": "sk-wrong"})
        client.get("/no/such/path", headers=NAMED)
        stored = [client.post(path, json=CLIP, headers=NAMED | {"Idempotency-Key": key}) for path, key in STORED]
    assert {answer.status_code for answer in (clip, *stored)} == {200}
    return clip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def written(cache_dir: Path, work: Path, **env: str) -> tuple[httpx.Response, Log]:
    options = ("--sglang-url", f"http://127.0.0.1:{closed_port()}", "--captioner", "off")
    with run_server(cache_dir, work, *options, LTX23_API_KEYS=KEY, LTX23_LOG_LEVEL="DEBUG", **env) as server:
        clip = ask(server)
    return clip, Log(server.lines)


@pytest.fixture(scope="module")
def in_text(cache_dir: Path, tiny: TinyFiles, work: Path) -> tuple[httpx.Response, Log]:
    return written(cache_dir, work)


@pytest.fixture(scope="module")
def in_json(cache_dir: Path, tiny: TinyFiles, work: Path) -> tuple[httpx.Response, Log]:
    return written(cache_dir, work, LTX23_LOG_FORMAT="json", LTX23_LOG_PROMPTS="1")


def test_each_request_has_one_line(in_text: tuple[httpx.Response, Log]) -> None:
    clip, log = in_text

    made, invalid, refused, lost, *_ = log.requests
    assert made.startswith("INFO:     ltx23.request: answered method=POST route=/generate status=200 seconds=")
    assert f" bytes={len(clip.content)} request_id=mine key_id=" in made
    assert " seed=7 width=256 height=256 frames=9 outcome=done enhance=" in made
    assert all(f" {stage}=" in made for stage in ("queue", "encode", "denoise", "decode", "mux"))
    assert "'field': 'width', 'requested': 250, 'used': 256}" in made
    assert "'reason'" not in made
    assert "route=/generate status=422 " in invalid
    assert "route=/generate status=401 " in refused
    assert "key_id" not in refused
    assert "route=none status=404 " in lost


def test_keys_prompts_images_and_paths_are_not_logged_even_for_debugging(in_text: tuple[httpx.Response, Log]) -> None:
    _, log = in_text

    for private in (KEY, "sk-wrong", "in-the-query", "private fox", "forged", CLIP["input_image_b64"], "no/such/path"):
        assert private not in log.text
    # These lines are not from the request log, but about the same requests.
    assert "uvicorn.access" not in log.text


def test_every_line_of_the_json_log_is_an_object(in_json: tuple[httpx.Response, Log]) -> None:
    clip, log = in_json

    assert all({"time", "level", "logger", "message"} <= line.keys() for line in log.objects)
    made, _, refused, *_ = log.requests_of("/generate")
    assert (made["method"], made["route"], made["status"]) == ("POST", "/generate", 200)
    assert (made["request_id"], len(made["key_id"])) == ("mine", 8)
    assert made["bytes"] == len(clip.content)
    assert (made["seed"], made["width"], made["height"], made["frames"]) == (7, 256, 256, 9)
    assert made["outcome"] == "done"
    assert made["adjustments"] == json.loads(clip.headers["x-ltx-adjustments"])
    assert list(made["timings"]) == ["enhance", "queue", "encode", "denoise", "decode", "mux"]
    assert made["seconds"] >= made["timings"]["denoise"] > 0
    assert refused["status"] == 401
    assert "timings" not in refused


def test_only_a_video_that_was_found_has_an_outcome(in_json: tuple[httpx.Response, Log]) -> None:
    _, log = in_json

    created, found = log.requests_of(PATH)
    assert created["video_id"] == found["video_id"]
    assert created["video_id"].startswith("video_")
    for line in (created, found):
        assert (line["seed"], line["width"], line["height"], line["frames"]) == (7, 256, 256, 9)
        assert "timings" not in line
    assert "outcome" not in created
    assert found["outcome"] == "done"


def test_an_awaited_video_has_timings_and_one_that_was_found_has_none(
    in_json: tuple[httpx.Response, Log],
) -> None:
    _, log = in_json

    made, _, _, awaited, found = log.requests_of("/generate")
    assert awaited.keys() == made.keys() | {"video_id"}
    assert (awaited["outcome"], awaited["timings"].keys()) == ("done", made["timings"].keys())
    assert awaited["seconds"] >= awaited["timings"]["denoise"] > 0
    assert awaited["timings"]["enhance"] > 0
    assert found.keys() == awaited.keys() - {"timings"}
    assert (found["video_id"], found["outcome"]) == (awaited["video_id"], "done")


def test_prompts_are_logged_with_the_setting_and_keys_never(in_json: tuple[httpx.Response, Log]) -> None:
    _, log = in_json

    assert [line["prompt"] for line in log.objects if "prompt" in line] == [PROMPT] * (1 + len(STORED))
    assert KEY not in log.text
    assert CLIP["input_image_b64"] not in log.text


def test_a_prompt_in_the_text_log_stays_on_one_line(guarded: Server) -> None:
    with guarded.client(headers=NAMED) as client:
        assert client.post("/generate", json=SMALL | {"prompt": PROMPT}).status_code == 200
    while not (made := [line for line in guarded.lines if "request_id=mine" in line]):
        pass

    assert [line.count(json.dumps(PROMPT)) for line in made] == [1]
    assert not any(line.startswith("INFO:     forged") for line in guarded.lines)
