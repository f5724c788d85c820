"""The time left until the model is there."""

import pytest

from server.jobs.loading import SAMPLE_S, WINDOW_S, LoadingProgress, LoadingStatus, Stage


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> LoadingProgress:
    return LoadingProgress(Stage.FETCHING, clock)


def seconds_left(progress: LoadingProgress) -> float | None:
    return progress.status.seconds_left


def test_before_the_first_report_only_the_stage_is_known(progress: LoadingProgress) -> None:
    assert progress.status == LoadingStatus(Stage.FETCHING, None, 0, 0, None)


def test_the_time_left_follows_from_what_was_done_since(progress: LoadingProgress, clock: Clock) -> None:
    # What an earlier process has fetched tells nothing about the speed.
    progress.update(Stage.FETCHING, "a", 600, 1000)
    assert seconds_left(progress) is None
    clock.now_s += SAMPLE_S / 2
    progress.update(Stage.FETCHING, "a", 650, 1000)
    assert seconds_left(progress) is None

    clock.now_s += SAMPLE_S / 2
    progress.update(Stage.FETCHING, "b", 700, 1000)

    assert progress.status == LoadingStatus(Stage.FETCHING, "b", 700, 1000, 3 * SAMPLE_S)


def test_the_time_left_follows_the_latest_speed(progress: LoadingProgress, clock: Clock) -> None:
    progress.update(Stage.FETCHING, "a", 0, 10_000)
    for second in range(1, 101):
        clock.now_s += 1
        # Slower by half from the fiftieth second on.
        progress.update(Stage.FETCHING, "a", 20 * second if second <= 50 else 500 + 10 * second, 10_000)

    assert WINDOW_S < 50
    assert seconds_left(progress) == pytest.approx(8500 / 10)


def test_another_stage_and_a_file_that_begins_again_have_a_speed_of_their_own(
    progress: LoadingProgress, clock: Clock
) -> None:
    progress.update(Stage.FETCHING, "a", 0, 1000)
    clock.now_s += 10
    progress.update(Stage.FETCHING, "a", 500, 1000)
    assert seconds_left(progress) == pytest.approx(10)

    progress.update(Stage.VERIFYING, "a", 0, 1000)
    assert seconds_left(progress) is None
    clock.now_s += 10
    progress.update(Stage.VERIFYING, "a", 1000, 1000)
    assert seconds_left(progress) == 0

    progress.update(Stage.VERIFYING, "a", 10, 1000)
    assert seconds_left(progress) is None


def test_a_stage_of_unknown_size_has_no_time_left(progress: LoadingProgress, clock: Clock) -> None:
    progress.update(Stage.LOADING, "compile", 0, 0)
    clock.now_s += 10
    progress.update(Stage.LOADING, "compile", 0, 0)

    assert seconds_left(progress) is None
