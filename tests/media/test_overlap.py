import itertools
import threading
from typing import Any

import pytest

from pipelines.media.overlap import consume_in_thread


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def test_items_are_produced_in_this_thread_and_consumed_in_order_in_another():
    producers, consumers, consumed = set(), set(), []

    def produce():
        for i in range(20):
            producers.add(threading.get_ident())
            yield i

    def consume(item):
        consumers.add(threading.get_ident())
        consumed.append(item)

    consume_in_thread(produce(), consume)

    assert consumed == list(range(20))
    assert producers == {threading.get_ident()}
    assert len(consumers) == 1
    assert not producers & consumers


def test_the_next_item_is_produced_while_one_is_consumed():
    second_made = threading.Event()
    overlapped = []

    def produce():
        yield 0
        second_made.set()
        yield 1

    consume_in_thread(produce(), lambda _: overlapped.append(second_made.wait(timeout=30)))

    assert overlapped == [True, True]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_producer_is_at_most_depth_items_ahead(depth):
    consumed: list[Any] = []
    ahead = []

    def produce():
        for i in range(30):
            ahead.append(i - len(consumed))
            yield i

    consume_in_thread(produce(), consumed.append, depth)

    assert len(consumed) == 30
    assert max(ahead) <= depth


def test_an_error_of_the_consumer_ends_an_endless_producer():
    error = ValueError("from the consumer")

    def consume(item):
        if item == 3:
            raise error

    with pytest.raises(ValueError, match="from the consumer") as caught:
        consume_in_thread(itertools.count(), consume)
    assert caught.value is error


def test_an_error_of_the_consumer_on_the_last_item_is_raised():
    def consume(item):
        raise ValueError("from the consumer")

    with pytest.raises(ValueError, match="from the consumer"):
        consume_in_thread([0], consume)


@pytest.mark.parametrize("error", [RuntimeError("from the producer"), KeyboardInterrupt(), GeneratorExit()])
def test_an_error_of_the_producer_is_raised_unchanged(error):
    consumed: list[Any] = []

    def produce():
        yield 0
        raise error

    with pytest.raises(type(error)) as caught:
        consume_in_thread(produce(), consumed.append)
    assert caught.value is error
    assert consumed in ([], [0])


def test_a_producer_without_items_is_valid():
    consume_in_thread([], pytest.fail)
