"""The circuit breaker, with a clock that the test moves."""

import pytest

from enhancer.breaker import Breaker, Circuit
from enhancer.errors import BadAnswer, Busy, EnhancerError, Refused, TimedOut, Unavailable
from tests.enhancer.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("the fox", failures=3, delays_s=(10.0, 30.0), clock=clock)


def call(breaker: Breaker, error: BaseException | None = None) -> None:
    with breaker.guard():
        if error is not None:
            raise error


def fail(breaker: Breaker, times: int, error: type[EnhancerError] = Unavailable) -> None:
    for _ in range(times):
        with pytest.raises(error, match="mine"):
            call(breaker, error("mine"))


def circuit(breaker: Breaker) -> Circuit:
    return breaker.circuit


@pytest.mark.parametrize("error", [Unavailable, TimedOut, Busy])
def test_the_circuit_opens_after_failures_in_a_row(breaker: Breaker, error: type[EnhancerError]) -> None:
    fail(breaker, 2, error)
    call(breaker)
    fail(breaker, 2, error)
    assert circuit(breaker) is Circuit.CLOSED
    fail(breaker, 1, error)
    assert circuit(breaker) is Circuit.OPEN
    with pytest.raises(Unavailable, match="the fox has failed and is tried again in 10 s"):
        call(breaker)


@pytest.mark.parametrize("error", [Refused, BadAnswer])
def test_a_refusal_or_a_bad_answer_resets_the_count_of_failures(breaker: Breaker, error: type[EnhancerError]) -> None:
    fail(breaker, 2)
    fail(breaker, 5, error)
    fail(breaker, 2)
    assert circuit(breaker) is Circuit.CLOSED


def test_after_the_pause_one_call_may_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 9.5
    with pytest.raises(Unavailable, match="in 1 s"):
        breaker.check()
    clock.now_s += 0.5
    assert circuit(breaker) is Circuit.HALF_OPEN
    with breaker.guard():
        with pytest.raises(Unavailable, match="being tried again"):
            call(breaker)
        assert circuit(breaker) is Circuit.HALF_OPEN
    assert circuit(breaker) is Circuit.CLOSED
    fail(breaker, 2)
    assert circuit(breaker) is Circuit.CLOSED


def test_a_trial_that_fails_makes_the_next_pause_longer(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    for pause_s in (10, 30, 30):
        with pytest.raises(Unavailable, match=f"in {pause_s} s"):
            breaker.check()
        clock.now_s += pause_s
        fail(breaker, 1)
    clock.now_s += 30
    call(breaker)
    fail(breaker, 3)
    with pytest.raises(Unavailable, match="in 10 s"):
        breaker.check()


def test_a_trial_that_is_cancelled_leaves_room_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 10
    with pytest.raises(KeyboardInterrupt):
        call(breaker, KeyboardInterrupt())
    assert circuit(breaker) is Circuit.HALF_OPEN
    call(breaker)
    assert circuit(breaker) is Circuit.CLOSED


def test_calls_from_before_it_opened_do_not_lengthen_the_pause(breaker: Breaker, clock: Clock) -> None:
    early = breaker.guard()
    early.__enter__()
    fail(breaker, 3)
    clock.now_s += 5
    late = Unavailable("late")
    assert not early.__exit__(Unavailable, late, None)
    with pytest.raises(Unavailable, match="in 5 s"):
        breaker.check()
