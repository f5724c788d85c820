from collections.abc import Callable

import httpx
import pytest

from tests.http.conftest import SMALL, STRICT

LARGEST = 2**64 - 1


@pytest.mark.parametrize("use_random_seed", [None, False, True])
@pytest.mark.parametrize("headers", [{}, STRICT], ids=["lenient", "strict"])
def test_a_sent_seed_is_used(generate: Callable, use_random_seed: bool | None, headers: dict) -> None:
    clip = generate(headers=headers, seed=42, use_random_seed=use_random_seed)

    assert clip.headers["x-ltx-seed"] == "42"
    assert clip.adjustments == []


def test_the_example_of_the_hosted_documentation_is_reproducible(client: httpx.Client) -> None:
    body = SMALL | {"seed": 42, "use_random_seed": True, "guidance_scale": 3.1, "num_inference_steps": 8}

    first, second = (client.post("/generate", json=body, headers=STRICT) for _ in range(2))

    assert first.status_code == 200, first.text
    assert first.content == second.content


def test_the_largest_seed_gives_a_different_clip(generate: Callable) -> None:
    clips = [generate(seed=seed, return_json=True) for seed in (LARGEST, str(LARGEST), LARGEST - 1)]

    assert [clip.headers["x-ltx-seed"] for clip in clips[:2]] == [str(LARGEST)] * 2
    assert clips[0].response.json()["seed"] == LARGEST
    videos = [clip.response.json()["video"] for clip in clips]
    assert videos[0] == videos[1]
    assert videos[1] != videos[2]


def test_a_stored_video_reports_the_largest_seed_exactly(client: httpx.Client) -> None:
    video = client.post("/v1/videos", json=SMALL | {"seed": LARGEST}).json()

    assert client.get(f"/v1/videos/{video['id']}").json()["seed"] == LARGEST
    assert client.delete(f"/v1/videos/{video['id']}").status_code == 200


@pytest.mark.parametrize(
    "fields", [{"seed": None}, {"seed": ""}, {"seed": -1}, {"seed": None, "use_random_seed": True}]
)
def test_a_seed_is_drawn_if_none_is_sent(generate: Callable, fields: dict) -> None:
    clips = [generate(headers=STRICT, **fields) for _ in range(2)]

    seeds = {int(clip.headers["x-ltx-seed"]) for clip in clips}
    assert len(seeds) == 2
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_seed_is_42_if_none_is_sent_and_random_seeds_are_off(generate: Callable) -> None:
    fixed, named = generate(seed=None, use_random_seed=False), generate(seed=42)

    assert fixed.headers["x-ltx-seed"] == "42"
    assert fixed.content == named.content


def test_a_drawn_seed_can_be_sent_again(generate: Callable) -> None:
    drawn = generate(seed=None, video_format="webm")

    assert generate(seed=int(drawn.headers["x-ltx-seed"]), video_format="webm").content == drawn.content
