from collections.abc import Callable

import pytest


@pytest.mark.parametrize("fields", [{}, {"use_random_seed": False}, {"use_random_seed": None}])
def test_a_seed_that_is_sent_is_used(generate: Callable, fields: dict) -> None:
    clip = generate(seed=2**63 - 1, return_json=True, **fields)

    assert clip.headers["x-ltx-seed"] == str(2**63 - 1)
    assert clip.response.json()["seed"] == 2**63 - 1
    assert clip.adjustments == []


@pytest.mark.parametrize("fields", [{}, {"use_random_seed": True}])
def test_without_a_seed_one_is_drawn(generate: Callable, fields: dict) -> None:
    clips = [generate(seed=None, **fields) for _ in range(2)]

    seeds = {int(clip.headers["x-ltx-seed"]) for clip in clips}
    assert len(seeds) == 2
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert [clip.adjustments for clip in clips] == [[], []]


def test_a_random_seed_that_was_asked_for_wins_and_is_reported(generate: Callable) -> None:
    clip = generate(use_random_seed=True)

    assert clip.changes == [("seed", 7, int(clip.headers["x-ltx-seed"]))]


def test_no_random_seed_and_none_sent_is_42(generate: Callable) -> None:
    fixed, named = generate(seed=None, use_random_seed=False), generate(seed=42)

    assert fixed.headers["x-ltx-seed"] == "42"
    assert fixed.content == named.content


def test_a_drawn_seed_can_be_sent_again(generate: Callable) -> None:
    drawn = generate(seed=None, video_format="webm")

    assert generate(seed=int(drawn.headers["x-ltx-seed"]), video_format="webm").content == drawn.content
