"""Negative prompts over HTTP: what they change, what leaves a clip as it is, and how the answers tell."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from pipelines.direction import DEFAULT_NEGATIVE_PROMPT
from tests.http.conftest import STRICT, Clip, Refusal
from tests.http.videos import create, delete, finish

Generate = Callable[..., Clip]
Refuse = Callable[..., Refusal]

# The tiny model shows the colours of words. It finds the same in "a red field" as in a negative "red", so there is
# nothing to lead away from; in a mixture, the negative colour gives way to the other one.
MIXTURE = {"prompt": "a red and a blue field"}


def colour(clip: Clip) -> np.ndarray:
    """Return the mean red, green and blue of the clip."""
    with clip.open() as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).reshape(-1, 3).mean(axis=0)


def test_the_negative_colour_gives_way_to_the_other_one(generate: Generate) -> None:
    plain = colour(generate(**MIXTURE))
    without_red = colour(generate(**MIXTURE, negative_prompt="red"))
    without_blue = colour(generate(**MIXTURE, negative_prompt="blue"))

    assert without_red[0] < plain[0] - 15
    assert without_red[2] > plain[2] + 15
    assert without_blue[0] > plain[0] + 15
    assert without_blue[2] < plain[2] - 15


def test_a_larger_scale_leads_further_away(generate: Generate) -> None:
    fields = MIXTURE | {"negative_prompt": "red", "nag_alpha": 1, "nag_tau": 10}
    reds = [colour(generate(**fields, nag_scale=scale))[0] for scale in (1, 1.5, 3)]

    assert reds[0] - 15 > reds[1] > reds[2] + 15


def test_the_same_request_gives_the_same_bytes(generate: Generate) -> None:
    fields = MIXTURE | {"negative_prompt": "red", "nag_audio": True, "generate_audio": True}

    first, again = (generate(**fields) for _ in range(2))

    assert first.adjustments == []
    assert again.content == first.content
    assert generate(**fields | {"nag_audio": False}).content != first.content


@pytest.mark.parametrize(
    "neutral",
    [
        {"negative_prompt": DEFAULT_NEGATIVE_PROMPT},
        {"negative_prompt": ""},
        {"nag_scale": 1, "nag_alpha": 0.25, "nag_tau": 2.5, "nag_audio": False},
    ],
    ids=["default text", "empty", "scale 1"],
)
def test_a_request_that_asks_for_no_guidance_is_a_plain_one(generate: Generate, neutral: dict[str, Any]) -> None:
    clip = generate(**neutral, headers=STRICT)

    assert clip.content == generate().content
    assert "guidance" not in generate(**neutral, return_json=True).response.json()


def test_the_default_text_is_used_with_a_scale_above_1(generate: Generate) -> None:
    clip = generate(nag_scale=5, return_json=True)

    assert clip.response.json()["guidance"] == {
        "negative_prompt": DEFAULT_NEGATIVE_PROMPT,
        "nag_scale": 5,
        "nag_alpha": 0.25,
        "nag_tau": 2.5,
        "nag_audio": False,
    }
    assert clip.adjustments == []


def test_a_stored_video_tells_its_guidance_and_equals_the_clip(client: httpx.Client, generate: Generate) -> None:
    fields: dict[str, Any] = MIXTURE | {"negative_prompt": "red", "nag_scale": 3.5}
    video = create(client, **fields)
    finished = finish(client, video)

    assert finished["guidance"] == video["guidance"]
    assert video["guidance"]["nag_scale"] == 3.5
    content = client.get(f"/v1/videos/{video['id']}/content").content
    assert content == generate(**fields).content
    delete(client, video)


def test_a_form_takes_the_fields(client: httpx.Client, generate: Generate) -> None:
    fields = {"negative_prompt": "red", "nag_scale": "3.5", "nag_alpha": "0.5", "nag_tau": "2", "nag_audio": "true"}
    form = {"prompt": "red and blue", "size": "256x256", "num_frames": "9", "seed": "7", "generate_audio": "false"}
    video = create_from_form(client, form | fields)

    assert video["guidance"] == {
        "negative_prompt": "red",
        "nag_scale": 3.5,
        "nag_alpha": 0.5,
        "nag_tau": 2,
        "nag_audio": True,
    }
    assert video["adjustments"] == []
    delete(client, video)


def create_from_form(client: httpx.Client, form: dict[str, str]) -> dict[str, Any]:
    response = client.post("/v1/videos", files={name: (None, value) for name, value in form.items()})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("nag_scale", 21, "Input should be less than or equal to 20"),
        ("nag_scale", -1, "Input should be greater than or equal to 0"),
        ("nag_alpha", 1.5, "Input should be less than or equal to 1"),
        ("nag_tau", 0, "Input should be greater than 0"),
        ("nag_tau", "high", "Input should be a valid number, unable to parse string as a number"),
        ("nag_audio", "perhaps", "Input should be a valid boolean, unable to interpret input"),
    ],
)
def test_a_wrong_value_is_refused_by_name(refuse: Refuse, field: str, value: Any, message: str) -> None:
    refusal = refuse(**{field: value})

    assert refusal.locs == [f"body.{field}"]
    assert refusal.detail[0]["msg"] == message


def test_the_model_lists_the_feature(client: httpx.Client) -> None:
    assert "negative_prompt" in client.get("/models").json()["data"][0]["features"]
