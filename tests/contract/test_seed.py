import json

import pytest

from server.contract import draw_seed, resolve_request

DRAWN = 7


@pytest.mark.parametrize(
    ("sent", "seed"),
    [
        ({}, DRAWN),
        ({"seed": 5}, 5),
        ({"seed": 0}, 0),
        ({"seed": 2**64 - 1}, 2**64 - 1),
        ({"seed": 5.0}, 5),
        ({"seed": 5, "use_random_seed": False}, 5),
        ({"seed": 5, "use_random_seed": None}, 5),
        ({"seed": 5, "use_random_seed": True}, 5),
        ({"seed": 0, "use_random_seed": True}, 0),
        ({"seed": "5"}, 5),
        ({"seed": -1}, DRAWN),
        ({"seed": "-1"}, DRAWN),
        ({"seed": -1, "use_random_seed": False}, DRAWN),
        ({"seed": "", "use_random_seed": False}, 42),
        ({"use_random_seed": True}, DRAWN),
        ({"use_random_seed": False}, 42),
        ({"use_random_seed": False, "seed": None}, 42),
        ({"use_random_seed": False, "seed": 0}, 0),
    ],
)
def test_the_seed_used(resolve, sent: dict, seed: int) -> None:
    assert resolve(**sent).spec.seed == seed


@pytest.mark.parametrize("seed", [5, -1, None])
@pytest.mark.parametrize("use_random_seed", [True, False, None])
def test_a_seed_is_never_an_adjustment(resolve, seed: int | None, use_random_seed: bool | None) -> None:
    assert resolve(strict=True, seed=seed, use_random_seed=use_random_seed).adjustments == ()


@pytest.mark.parametrize("seed", [-2, 2**64, 10**30, 1e300])
def test_seeds_that_are_refused(refuse, seed: float) -> None:
    assert refuse(seed=seed) == ["seed"]


def test_drawn_seeds_differ_and_fit_a_javascript_number() -> None:
    seeds = {draw_seed() for _ in range(100)}
    assert len(seeds) > 90
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert all(json.loads(json.dumps(float(seed))) == seed for seed in seeds)


def test_a_seed_is_drawn_by_default() -> None:
    assert 0 <= resolve_request({"prompt": "a fox"}).spec.seed < 2**32
