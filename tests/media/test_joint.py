"""Joints between rendered frames and those of the clip that they were made from."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipelines.media.joint import JOINT_FRAMES, MAX_EASED, Frame, Pair, join
from pipelines.media.source_video import to_rgb

KEPT, RENDERED = 100, 130


def rgb(level: int) -> Frame:
    return np.full((64, 64, 3), level, np.uint8)


def yuv(level: int) -> Frame:
    frame = np.full((96, 64), 128, np.uint8)
    frame[:64] = level
    return frame


def pairs(count: int) -> Iterator[Pair]:
    return (Pair(rgb(KEPT), rgb(RENDERED)) for _ in range(count))


def levels(frames: Iterator[Frame]) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


def test_the_picture_moves_from_the_clip_to_what_was_rendered_and_back() -> None:
    found = levels(join(pairs(40), range(10, 30)))

    assert found[:10] == found[30:] == [KEPT] * 10
    assert found[10 + JOINT_FRAMES : 30 - JOINT_FRAMES] == [RENDERED] * (20 - 2 * JOINT_FRAMES)
    steps = np.diff(found)
    assert (steps[:20] >= 0).all()
    assert (steps[20:] <= 0).all()
    assert steps[9] <= steps[10:18].max(), "the joint is no larger step than those after it"
    assert -steps[29] <= -steps[21:29].min()


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_short_part_lies_between(length: int) -> None:
    found = levels(join(pairs(20), range(8, 8 + length)))

    assert found[:8] == [KEPT] * 8
    assert found[8 + length :] == [KEPT] * (12 - length)
    assert all(KEPT <= level <= RENDERED for level in found)


@pytest.mark.parametrize(("level", "first"), [(KEPT + 6, KEPT + 3), (RENDERED, RENDERED - MAX_EASED)])
def test_a_small_step_of_light_begins_slowly(level: int, first: int) -> None:
    same = (Pair(rgb(KEPT), rgb(KEPT if i < 9 else level)) for i in range(30))

    found = levels(join(same, range(9, 30)))

    assert found[:9] == [KEPT] * 9
    assert found[9] == first
    assert found[9 + JOINT_FRAMES :] == [level] * (21 - JOINT_FRAMES)
    assert (np.diff(found) >= 0).all()


def test_details_that_are_rendered_like_the_clip_are_not_changed() -> None:
    def moving(i: int) -> Frame:
        frame = rgb(KEPT)
        frame[i : i + 2] = 0
        return frame

    same = (Pair(moving(i), moving(i)) for i in range(30))

    for i, frame in enumerate(join(same, range(5, 30))):
        assert np.abs(frame.astype(int) - moving(i)).max() <= 1


def test_a_part_at_the_end_needs_no_clip_after_it() -> None:
    found = levels(join((Pair(rgb(KEPT) if i < 9 else None, rgb(RENDERED)) for i in range(30)), range(9, 30)))

    assert found[:9] == [KEPT] * 9
    assert found[9 + JOINT_FRAMES :] == [RENDERED] * (21 - JOINT_FRAMES)


def test_frames_in_two_layouts_are_compared_in_that_of_the_rendered_ones() -> None:
    kept_yuv = [Pair(yuv(110), to_rgb(yuv(110))) for _ in range(12)]
    kept_rgb = [Pair(to_rgb(yuv(110)), yuv(110)) for _ in range(12)]

    assert all(np.array_equal(frame, to_rgb(yuv(110))) for frame in list(join(iter(kept_yuv), range(5, 8)))[5:8])
    for frame in list(join(iter(kept_rgb), range(5, 8)))[5:8]:
        assert np.abs(frame.astype(int) - yuv(110)).max() <= 1
