"""Faults that end after a number of requests, or after a time."""

from server.rehearsal.counts import MAX_COUNTS, Counts
from server.rehearsal.fault import parse_fault


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_fault_happens_so_many_times_for_each_key() -> None:
    counts, fault = Counts(), parse_fault("status=503; times=2")

    assert [counts.happens(fault, "a") for _ in range(4)] == [True, True, False, False]
    assert counts.happens(fault, "b")


def test_a_fault_lasts_from_its_first_request() -> None:
    clock = Clock()
    counts, fault = Counts(clock), parse_fault("scenario=cold-start")
    happens = []
    for waited_s in (0, 39.9, 0.2, 1):
        clock.now_s += waited_s
        happens.append(counts.happens(fault, "a"))

    assert happens == [True, True, False, False]


def test_a_fault_with_both_limits_ends_at_the_first() -> None:
    clock = Clock()
    counts, fault = Counts(clock), parse_fault("status=503; times=2; for=40")
    assert [counts.happens(fault, "a") for _ in range(3)] == [True, True, False]
    assert counts.happens(fault, "b")
    clock.now_s += 40
    assert not counts.happens(fault, "b")


def test_a_fault_without_a_limit_always_happens() -> None:
    counts, fault = Counts(), parse_fault("status=503")

    assert all(counts.happens(fault, None) for _ in range(10))


def test_only_so_many_keys_are_remembered() -> None:
    counts, fault = Counts(), parse_fault("status=503; times=1")
    for key in range(MAX_COUNTS + 1):
        assert counts.happens(fault, key)

    assert not counts.happens(fault, MAX_COUNTS)
    assert counts.happens(fault, 0)
