"""Keyframes of a clip whose length is adjusted."""

from typing import Any

import pytest

from server.contract.errors import RequestInvalid
from server.contract.resolve import ResolvedRequest

IMAGE = "QUJD"


def entries(*frames: int) -> list[dict[str, Any]]:
    return [{"image_b64": IMAGE, "frame_idx": frame} for frame in frames]


def used(request: ResolvedRequest) -> list[int]:
    return [image.frame_idx for image in request.images]


@pytest.mark.parametrize(
    ("sent", "frames", "expected"),
    [
        # Snapped up: the last frame stays the last.
        ({"num_frames": 24}, (0, 23), [0, 24]),
        ({"num_frames": 22}, (0, 8, 21), [0, 8, 24]),
        ({"num_frames": 120}, (0, 119), [0, 120]),
        ({"num_frames": 1}, (0, 8), [0, 8]),
        ({"duration": 5}, (0, 119), [0, 120]),
        ({"duration": 1, "fps": 30}, (0, 29), [0, 32]),
        ({"duration": 2.5, "fps": 4}, (0, 9), [0, 16]),
        # Keyframes before the requested end stay; frames that only the adjusted clip has are valid too.
        ({"num_frames": 24}, (0, 22), [0, 22]),
        ({"num_frames": 24}, (0, 24), [0, 24]),
        ({"num_frames": 24}, (0, 23, 24), [0, 23, 24]),
        ({"num_frames": 24}, (0, 23, -1), [0, 23, 24]),
        ({"duration": 5}, (0, 119, 120), [0, 119, 120]),
        # Snapped down: keyframes beyond the end move to the last frame, and earlier ones make room.
        ({"num_frames": 100}, (0, 99), [0, 96]),
        ({"num_frames": 100}, (0, 97), [0, 96]),
        ({"num_frames": 100}, (0, -1), [0, 96]),
        ({"num_frames": 100}, (0, 97, 99), [0, 95, 96]),
        ({"num_frames": 100}, (0, 96, 99), [0, 95, 96]),
        ({"num_frames": 100}, (0, 95, 96, 97, 98, 99), [0, 92, 93, 94, 95, 96]),
        ({"num_frames": 100}, (0, 50, 99), [0, 50, 96]),
        ({"duration": 4.1}, (0, 97), [0, 96]),
        ({"duration": 4.1}, (0, 98), [0, 96]),
        ({"duration": 4, "fps": 25}, (0, 99), [0, 96]),
        ({"duration": 4, "fps": 25}, (0, 100), [0, 96]),
        # Capped: the end moves by any distance.
        ({"duration": 30}, (0, 719), [0, 480]),
        ({"duration": 30}, (0, 300, 719), [0, 300, 480]),
        ({"num_frames": 1000}, (0, 600), [0, 480]),
        ({"width": 3840, "height": 2160, "num_frames": 241}, (0, 240), [0, 120]),
        ({"width": 3840, "height": 2160, "fps": 8}, (0, 120), [0, 40]),
        ({"duration": 2, "fps": 60}, (0, 119), [0, 96]),
        ({"num_frames": 10**30}, (0, 10**29), [0, 480]),
        ({"num_frames": 97, "duration": 10}, (0, 96), [0, 96]),
    ],
)
def test_a_keyframe_at_the_end_moves_with_it(resolve, sent: dict, frames: tuple[int, ...], expected: list[int]) -> None:
    assert used(resolve(**sent, keyframes=entries(*frames))) == expected


def test_keyframes_that_move_are_reported(resolve) -> None:
    moved = [a for a in resolve(num_frames=100, keyframes=entries(99, 0, 96)).adjustments if a.field != "num_frames"]

    assert [(a.field, a.requested, a.used) for a in moved] == [
        ("keyframes.0.frame_idx", 99, 96),
        ("keyframes.2.frame_idx", 96, 95),
    ]
    assert all("97 frames" in a.reason for a in moved)


@pytest.mark.parametrize("frames", [(0, 24), (0, -1), (0, 8)])
def test_keyframes_that_stay_are_not_reported(adjusted, frames: tuple[int, ...]) -> None:
    assert adjusted(num_frames=24, keyframes=entries(*frames)) == [("num_frames", 24, 25)]


@pytest.mark.parametrize(
    ("sent", "frames", "locs"),
    [
        ({"num_frames": 100}, (0, 100), ["keyframes.1.frame_idx"]),
        ({"num_frames": 24}, (0, 25), ["keyframes.1.frame_idx"]),
        ({"duration": 4.1}, (0, 99), ["keyframes.1.frame_idx"]),
        ({"duration": 5}, (0, 121), ["keyframes.1.frame_idx"]),
        ({"num_frames": 100}, (0, 99, -1), ["keyframes.2.frame_idx"]),
        # Two keyframes far beyond the cap cannot both move to the end.
        ({"num_frames": 1000}, (0, 500, 999), ["keyframes.1.frame_idx"]),
        ({"num_frames": 12}, range(12), [f"keyframes.{i}.frame_idx" for i in range(4)]),
    ],
)
def test_keyframes_that_do_not_fit_are_refused(refuse, sent: dict, frames: tuple[int, ...], locs: list[str]) -> None:
    assert refuse(**sent, keyframes=entries(*frames)) == locs


def test_the_order_of_keyframes_does_not_matter(resolve) -> None:
    one, other = resolve(keyframes=entries(0, 60, -1)).images, resolve(keyframes=entries(-1, 0, 60)).images

    assert [(i.frame_idx, i.data) for i in one] == [(i.frame_idx, i.data) for i in other]


@pytest.mark.parametrize("frame", [-1, 120, 60])
def test_the_error_for_a_single_later_keyframe_does_not_suggest_input_image_b64(resolve, frame: int) -> None:
    with pytest.raises(RequestInvalid, match="frame_idx 0") as caught:
        resolve(keyframes=entries(frame))
    assert "input_image_b64" not in str(caught.value)


def test_the_error_for_a_single_first_keyframe_suggests_input_image_b64(resolve) -> None:
    with pytest.raises(RequestInvalid, match="input_image_b64"):
        resolve(keyframes=entries(0))
