"""Estimates of render time, and of the share of each stage, from measured renders."""

from fractions import Fraction

import pytest

from pipelines.spec import GenerationSpec
from server.jobs.progress import JobProgress
from server.jobs.render_times import FIRST_GUESS_S, MAX_SIZES, RenderTimes
from server.jobs.stage_percents import FIRST_GUESS, StageShares


def clip(num_frames: int, side: int = 256) -> GenerationSpec:
    return GenerationSpec("a fox", 1, side, side, num_frames, Fraction(24))


def test_the_estimate_before_any_measurement_is_a_constant() -> None:
    assert RenderTimes().estimate_s(clip(9)) == FIRST_GUESS_S


def test_the_estimate_for_a_known_size_weighs_recent_renders_most() -> None:
    times = RenderTimes()
    times.add(clip(9), 10)
    times.add(clip(9), 20)

    assert times.estimate_s(clip(9)) == pytest.approx(13)


def test_the_estimate_for_a_new_size_uses_the_nearest_one() -> None:
    times = RenderTimes()
    times.add(clip(9), 1)
    times.add(clip(97), 50)

    assert times.estimate_s(clip(97, side=512)) == pytest.approx(200)
    assert times.estimate_s(clip(17)) == pytest.approx(17 / 9)


def test_the_number_of_remembered_sizes_is_limited() -> None:
    times = RenderTimes()
    for k in range(1, MAX_SIZES + 2):
        times.add(clip(8 * k + 1), 1)

    assert times.estimate_s(clip(9)) == pytest.approx(9 / 17)


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        (JobProgress(position=3), 0),
        (JobProgress(running=True), 0),
        (JobProgress(running=True, stage="stage_1", step=0, steps=8), 5),
        (JobProgress(running=True, stage="stage_1", step=8, steps=8), 40),
        (JobProgress(running=True, stage="decode", step=121, steps=121), 99),
        (JobProgress(running=True, stage="a stage of another pipeline", step=1, steps=2), 0),
    ],
)
def test_percent(progress: JobProgress, percent: int) -> None:
    assert progress.percent == percent


def test_the_shares_of_stages_are_learned() -> None:
    shares = StageShares()
    assert shares.percents == FIRST_GUESS

    shares.add({"encode": 1, "stage_1": 1, "decode": 2})
    assert shares.percents == {"encode": (0, 25), "stage_1": (25, 50), "decode": (50, 99)}

    shares.add({"encode": 0, "stage_1": 0, "decode": 2})
    assert shares.percents == {"encode": (0, 17), "stage_1": (17, 35), "decode": (35, 99)}


def test_a_render_with_other_stages_replaces_what_was_learned() -> None:
    shares = StageShares()
    shares.add({"encode": 1, "stage_1": 1, "decode": 2})
    shares.add({"encode": 1, "decode": 1})

    assert shares.percents == {"encode": (0, 50), "decode": (50, 99)}
    shares.add({})
    assert shares.percents == {"encode": (0, 50), "decode": (50, 99)}
