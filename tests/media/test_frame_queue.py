"""Frames between two threads: order, the bound on memory, and the end of either side."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from pipelines.media.frame_queue import FrameQueue, FramesAborted, FramesUnread


@pytest.fixture
def reader() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def chunk(number: int) -> np.ndarray:
    return np.full((1, 10), number, np.uint8)


def test_chunks_are_read_in_order_in_another_thread(reader: ThreadPoolExecutor) -> None:
    frames = FrameQueue(max_bytes=2**20)
    read = reader.submit(lambda: [int(each[0, 0]) for each in frames])
    for number in range(20):
        frames.put(chunk(number))
    frames.complete()

    assert read.result() == list(range(20))


def test_a_clip_that_fits_is_complete_before_anything_is_read() -> None:
    frames = FrameQueue(max_bytes=30)
    for number in range(3):
        frames.put(chunk(number))
    frames.complete()

    assert [int(each[0, 0]) for each in frames] == [0, 1, 2]


@pytest.mark.parametrize("max_bytes", [1, 10, 25])
def test_no_more_waits_than_the_bound_or_one_chunk(max_bytes: int, reader: ThreadPoolExecutor) -> None:
    frames, put, ahead = FrameQueue(max_bytes), threading.Semaphore(0), []

    def write() -> None:
        for number in range(10):
            frames.put(chunk(number))
            written.append(number)
            put.release()
        frames.complete()

    written: list[int] = []
    writing = reader.submit(write)
    for count, _ in enumerate(frames, 1):
        put.acquire()
        ahead.append(len(written) - count)

    writing.result()
    # While one is read, the next ones wait.
    assert max(ahead) <= max(max_bytes // 10, 1)


def test_a_reader_that_leaves_ends_a_writer_that_waits(reader: ThreadPoolExecutor) -> None:
    frames = FrameQueue(max_bytes=10)
    frames.put(chunk(0))
    waiting: Future[None] = reader.submit(frames.put, chunk(1))
    frames.leave()

    with pytest.raises(FramesUnread):
        waiting.result()
    with pytest.raises(FramesUnread):
        frames.complete()


def test_a_writer_that_aborts_ends_a_reader_at_once(reader: ThreadPoolExecutor) -> None:
    frames = FrameQueue(max_bytes=2**20)
    reading = reader.submit(lambda: list(frames))
    frames.abort()

    with pytest.raises(FramesAborted):
        reading.result()
    frames.put(chunk(0))
    with pytest.raises(FramesAborted):
        next(iter(frames))
