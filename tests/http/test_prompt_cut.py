"""A prompt longer than the text encoder reads: the rest is reported, or refused with strict handling."""

import json
from typing import Any

import httpx
import pytest

from tests.http.conftest import SMALL, STRICT
from tests.http.videos import PATH, SLOW, begin, create, delete, finish, look

# One token per byte, and <bos>.
LONG = "the camera pans over a wharves at nine, " * 30 + "then the last boat sinks"
REASON = (
    'the prompt has 1225 tokens, and the text encoder reads 1024; the last 201, "wharves at nine, the camera pans over '
    'a ... at nine, then the last boat sinks", are left out'
)
CUT = {"field": "prompt", "requested": "1225 tokens", "used": "1024 tokens", "reason": REASON}


@pytest.mark.parametrize("return_json", [False, True])
def test_generate_reports_the_part_that_is_cut(return_json: bool, client: httpx.Client) -> None:
    answer = client.post("/generate", json=SMALL | {"prompt": LONG, "return_json": return_json})

    assert answer.status_code == 200
    assert json.loads(answer.headers["X-LTX-Adjustments"]) == [CUT]
    if return_json:
        assert answer.json()["adjustments"] == [CUT]
        assert answer.json()["prompt"] == LONG


def test_a_long_negative_prompt_is_reported_if_it_is_used(client: httpx.Client) -> None:
    answer = client.post("/generate", json=SMALL | {"negative_prompt": LONG})
    unused = client.post("/generate", json=SMALL | {"negative_prompt": LONG, "nag_scale": 1})
    refused = client.post("/generate", json=SMALL | {"negative_prompt": LONG}, headers=STRICT)

    changed = {"field": "negative_prompt", "reason": REASON.replace("the prompt", "the negative prompt", 1)}
    assert json.loads(answer.headers["X-LTX-Adjustments"]) == [CUT | changed]
    assert [adjustment["used"] for adjustment in json.loads(unused.headers["X-LTX-Adjustments"])] == [None]
    assert [error["loc"] for error in refused.json()["detail"]] == [["body", "negative_prompt"]]


def test_a_prompt_of_exactly_the_maximum_is_not_cut(client: httpx.Client) -> None:
    answer = client.post("/generate", json=SMALL | {"prompt": f"  {'é' * 511}x  "}, headers=STRICT)

    assert answer.status_code == 200
    assert answer.headers["X-LTX-Adjustments"] == "[]"


@pytest.mark.parametrize("path", ["/generate", PATH])
def test_strict_handling_refuses_a_long_prompt_before_the_render(path: str, client: httpx.Client) -> None:
    answer = client.post(path, json=SMALL | {"prompt": "é" * 512}, headers=STRICT)

    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "prompt"]
    assert error["msg"].startswith("Should be shorter: the prompt has 1025 tokens")


def test_a_stored_video_reports_the_cut_when_it_is_created(client: httpx.Client) -> None:
    created = create(client, prompt=LONG)
    finished: dict[str, Any] = finish(client, created)

    assert created["adjustments"] == finished["adjustments"] == [CUT]
    delete(client, created)


def test_a_prompt_is_measured_while_another_clip_renders(client: httpx.Client) -> None:
    running = create(client, **SLOW)
    begin(client, running)
    answer = client.post("/generate", json=SMALL | {"prompt": LONG}, headers=STRICT)

    assert answer.status_code == 422
    assert look(client, running)["status"] == "in_progress"
    delete(client, running)
