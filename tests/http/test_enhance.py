"""Prompt enhancement by the real server, with a language model that works or fails."""

import asyncio
import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from server.worker.messages import Ready
from tests.conftest import RunCommand, Server, run_server
from tests.enhancer.sglang_server import SglangServer, breaks_off, fails, hangs, says, serving
from tests.enhancer.tiny_florence import write_tiny_florence
from tests.http.conftest import KEY
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.media.sounds import tone, write_wav
from tests.waiting import wait_for

REWRITE = "A red fox runs through deep snow while flakes whirl up behind it and the wind hums."
CLIP = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9, "seed": 7, "return_json": True}
ENHANCED = CLIP | {"enhance_prompt": True}
STRICT = {"Prefer": "handling=strict"}


@contextmanager
def language_model() -> Iterator[SglangServer]:
    """Run the language model in a thread with its own event loop, because the tests block on HTTP."""
    ready, done = threading.Event(), asyncio.Event()
    kept: list[Any] = []

    async def run() -> None:
        async with serving(otherwise=says(REWRITE)) as sglang:
            kept.extend([sglang, asyncio.get_running_loop()])
            ready.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    ready.wait()
    try:
        yield kept[0]
    finally:
        kept[1].call_soon_threadsafe(done.set)
        thread.join()


@pytest.fixture(scope="module")
def sglang() -> Iterator[SglangServer]:
    with language_model() as sglang:
        yield sglang


@pytest.fixture(scope="module")
def enhancing(sglang: SglangServer, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--sglang-url", sglang.url, "--captioner", "off", "--enhance-timeout-s", "2")
    with run_server(cache_dir, tmp_path_factory.mktemp("work"), *options) as server:
        yield server


@pytest.fixture
def client(enhancing: Server) -> Iterator[httpx.Client]:
    with enhancing.client() as client:
        yield client


def image_b64() -> str:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 80, 20)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def test_the_rewrite_is_rendered_and_both_prompts_are_reported(client: httpx.Client, sglang: SglangServer) -> None:
    answer = client.post("/generate", json=ENHANCED)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["prompt"], body["original_prompt"], body["enhanced"]) == (REWRITE, "a red fox", True)
    assert body["adjustments"] == []
    assert body["timings"]["enhance"] > 0
    assert "enhance;dur=" in answer.headers["Server-Timing"]
    assert "a red fox" in sglang.seen[-1].messages[1]["content"]
    plain = client.post("/generate", json=CLIP | {"prompt": REWRITE}).json()
    assert plain["video"] == body["video"]
    assert not plain["enhanced"]


def test_the_prompt_of_a_clip_with_a_given_sound_is_enhanced(
    client: httpx.Client, sglang: SglangServer, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "sound.wav", tone(0.7))
    sound = {"audio_b64": base64.b64encode(wav.read_bytes()).decode(), "num_frames": None}

    answer = client.post("/generate", json=ENHANCED | sound)

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert (body["prompt"], body["enhanced"], body["num_frames"], body["adjustments"]) == (REWRITE, True, 17, [])
    assert "a red fox" in sglang.seen[-1].messages[1]["content"]
    plain = client.post("/generate", json=CLIP | sound | {"prompt": REWRITE}).json()
    assert plain["video"] == body["video"]
    assert client.post("/generate", json=CLIP | {"prompt": REWRITE, "num_frames": 17}).json()["video"] != body["video"]


def test_a_rewrite_that_is_cut_is_reported(client: httpx.Client, sglang: SglangServer) -> None:
    rewrite = " ".join(f"Around the old fox the flakes of August number {i} whirl silently." for i in range(16))
    sglang.answers.extend([says(rewrite), says(rewrite)])
    answer = client.post("/generate", json=ENHANCED | {"prompt": "a long red fox"})
    refused = client.post("/generate", json=ENHANCED | {"prompt": "a long grey fox"}, headers=STRICT)

    (adjustment,) = answer.json()["adjustments"]
    assert (adjustment["field"], adjustment["used"]) == ("prompt", "1024 tokens")
    assert adjustment["reason"].startswith(f"the enhanced prompt has {len(rewrite) + 1} tokens")
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "prompt"]


def test_the_model_is_asked_only_if_the_request_says_so(client: httpx.Client, sglang: SglangServer) -> None:
    before = len(sglang.seen)
    assert client.post("/generate", json=CLIP).json()["timings"]["enhance"] == 0
    assert len(sglang.seen) == before


def test_nothing_is_rewritten_for_a_request_that_is_refused(client: httpx.Client, sglang: SglangServer) -> None:
    before = len(sglang.seen)
    refused = client.post("/generate", json=ENHANCED | {"prompt": "another fox", "input_image_b64": "AAAA"})
    assert refused.status_code == 422
    assert len(sglang.seen) == before


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (fails(500), "the prompt enhancer"),
        (fails(503), "the prompt enhancer"),
        (fails(400), "the prompt enhancer"),
        (hangs, "took longer than 2 s"),
        (says(""), "the prompt enhancer"),
    ],
)
def test_a_failure_is_reported_and_the_clip_is_rendered(
    answer: Callable[..., Any], note: str, client: httpx.Client, sglang: SglangServer
) -> None:
    sglang.answers.append(answer)
    prompt = f"a fox that meets {note} {id(answer)}"

    body = client.post("/generate", json=ENHANCED | {"prompt": prompt}).json()

    assert (body["prompt"], body["enhanced"]) == (prompt, False)
    (adjustment,) = body["adjustments"]
    assert (adjustment["field"], adjustment["requested"], adjustment["used"]) == ("enhance_prompt", True, False)
    assert note in adjustment["reason"]
    # A success closes the circuit again.
    assert client.post("/generate", json=ENHANCED | {"prompt": prompt + "!"}).json()["enhanced"]


def test_strict_handling_refuses_to_render_the_original_prompt(client: httpx.Client, sglang: SglangServer) -> None:
    sglang.answers.append(fails(500))

    answer = client.post("/generate", json=ENHANCED | {"prompt": "a strict fox"}, headers=STRICT)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "the prompt enhancer" in answer.json()["detail"]


def test_enhance_answers_with_the_rewrite(client: httpx.Client) -> None:
    answer = client.post("/enhance", json={"prompt": "a red fox", "input_image_b64": image_b64()})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["prompt"], body["caption"]) == (REWRITE, None)
    assert body["notes"] == ["the prompt was enhanced without a look at the image: no captioner is configured"]
    assert set(body["timings"]) == {"caption", "rewrite"}


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "prompt"]),
        ({"prompt": " "}, ["body", "prompt"]),
        ({"prompt": "a fox", "input_image_b64": "no image"}, ["body", "input_image_b64"]),
        ({"prompt": "a fox", "input_image_b64": base64.b64encode(b"GIF89a").decode()}, ["body", "input_image_b64"]),
        ({"prompt": "a fox", "duration": -1}, ["body", "duration"]),
    ],
)
def test_enhance_names_an_invalid_field(body: dict[str, Any], loc: list[str], client: httpx.Client) -> None:
    answer = client.post("/enhance", json=body)

    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [loc]


def test_enhance_answers_a_failure_with_an_error(client: httpx.Client, sglang: SglangServer) -> None:
    sglang.answers.extend([breaks_off, breaks_off])

    answer = client.post("/enhance", json={"prompt": "a fox without words"})

    assert answer.status_code == 503
    assert "a fox without words" not in answer.text


def test_health_and_models_describe_the_enhancer(client: httpx.Client, server: Server) -> None:
    client.post("/enhance", json={"prompt": "a fox in good health"})
    assert client.get("/health").json()["enhancer"] == {"status": "ok", "reasons": []}
    assert client.get("/models").json()["data"][0]["enhance_prompt"] is True
    with server.client() as off:
        assert off.get("/health").json()["enhancer"] == {"status": "off", "reasons": []}
        assert off.get("/models").json()["data"][0]["enhance_prompt"] is False
        assert off.post("/enhance", json={"prompt": "a fox"}).status_code == 503


def test_generate_is_the_last_path_with_a_prompt(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    def asks_for_a_prompt(operations: dict[str, Any]) -> bool:
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        return "prompt" in content.get("application/json", {}).get("schema", {}).get("properties", {})

    paths = [path for path, operations in document["paths"].items() if asks_for_a_prompt(operations)]
    assert "/enhance" in paths
    assert paths[-1] == "/generate"


def test_a_clip_is_refused_if_required_enhancement_is_unavailable(without_services: Server) -> None:
    with without_services.client(headers={"x-api-key": KEY}) as client:
        answer = client.post("/generate", json=ENHANCED)
        assert answer.status_code == 503
        assert client.post("/generate", json=CLIP).status_code == 200
        assert client.get("/health").status_code == 200


def test_an_image_is_captioned(sglang: SglangServer, tmp_path: Path) -> None:
    florence = tmp_path / "florence"
    write_tiny_florence(florence)
    options = {"sglang_url": sglang.url, "captioner": str(florence)}
    with serve(program_of("behaves"), tmp_path / "work", cache_dir=tmp_path, **options) as served:
        served.told(Ready)
        picture = {"input_image_b64": image_b64()}
        # It answers 503 while the captioner loads.
        wait_for(lambda: served.client.post("/enhance", json={"prompt": "it moves"} | picture).status_code == 200)
        answer = served.client.post("/enhance", json={"prompt": "it moves"} | picture)
        assert answer.json()["caption"]
        assert "<picture>" in sglang.seen[-1].messages[1]["content"]
        body = served.client.post("/generate", json=ENHANCED | {"prompt": "it moves on"} | picture).json()

    assert body["enhanced"]
    assert body["adjustments"] == []


def test_the_command_enhances_a_prompt(sglang: SglangServer, run_command: RunCommand) -> None:
    done = run_command("enhance", "--prompt", "a red fox", "--sglang-url", sglang.url, "--captioner", "off")

    assert (done.returncode, done.stdout, done.stderr) == (0, REWRITE + "\n", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no SGLang to ask: --sglang-url / LTX23_SGLANG_URL"),
        (["--sglang-url", "nowhere"], "LTX23_SGLANG_URL / --sglang-url: url: 'nowhere' is not an HTTP address"),
        (["--sglang-url", "http://127.0.0.1:9", "--image", "absent.png"], "absent.png"),
        (["--sglang-url", "http://127.0.0.1:9"], "the prompt enhancer"),
    ],
)
def test_the_last_line_of_the_command_says_what_is_wrong(
    options: list[str], message: str, run_command: RunCommand
) -> None:
    done = run_command("enhance", "--prompt", "a fox", *options)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ltx23: error: ")
    assert message in last
