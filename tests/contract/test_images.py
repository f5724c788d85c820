from typing import Any

import pytest

from server.contract.resolve import ResolvedRequest

IMAGE = "QUJD"
CHANGED = "REVG"


def keyframe(frame_idx: Any, **fields: Any) -> dict[str, Any]:
    return {"image_b64": IMAGE, "frame_idx": frame_idx} | fields


def frames(request: ResolvedRequest) -> list[int]:
    return [image.frame_idx for image in request.images]


def test_a_single_image_is_the_first_frame(resolve) -> None:
    [image] = resolve(input_image_b64=IMAGE).images
    assert (image.data, image.frame_idx, image.strength, image.crf) == (b"ABC", 0, 1.0, 33)
    assert image.loc == ("input_image_b64",)


def test_keyframes_are_read_with_their_frames(resolve) -> None:
    first, second = resolve(keyframes=[keyframe(0), keyframe(24, strength=0.5, crf=0)]).images
    assert (first.frame_idx, first.strength, first.crf, first.loc) == (0, 1.0, 33, ("keyframes", 0, "image_b64"))
    assert (second.frame_idx, second.strength, second.crf, second.loc) == (24, 0.5, 0, ("keyframes", 1, "image_b64"))


@pytest.mark.parametrize(
    ("sent", "used"),
    [
        ([0, 120], [0, 120]),
        ([0, -1], [0, 120]),
        ([-1, 60, 0], [0, 60, 120]),
        ([0.0, 24.0], [0, 24]),
        (["0", "24"], [0, 24]),
    ],
)
def test_keyframes_may_come_in_any_order_and_minus_one_is_the_last_frame(resolve, sent: list, used: list[int]) -> None:
    request = resolve(num_frames=121, keyframes=[keyframe(i) for i in sent])
    assert frames(request) == used
    assert request.adjustments == ()


@pytest.mark.parametrize(
    ("keyframes", "locs"),
    [
        ([keyframe(0)], ["keyframes"]),
        ([keyframe(1), keyframe(2)], ["keyframes"]),
        ([keyframe(0), keyframe(121)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(10**30)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(-2)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(0)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(120), keyframe(-1)], ["keyframes.2.frame_idx"]),
        ([keyframe(0), {"image_b64": IMAGE}], ["keyframes.1.frame_idx"]),
        ([keyframe(0), {"frame_idx": 8}], ["keyframes.1.image_b64"]),
        ([keyframe(0), keyframe(None)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(8, image_b64=None)], ["keyframes.1.image_b64"]),
        ([keyframe(0), keyframe(8, image_b64="a\ud800")], ["keyframes.1.image_b64"]),
        ([keyframe(0), keyframe(8, image_b64="???")], ["keyframes.1.image_b64"]),
        ([keyframe(0, image_b64=""), keyframe(8, image_b64="?")], ["keyframes.0.image_b64"]),
        ([keyframe(0, image_b64="!"), keyframe(8, image_b64="?")], ["keyframes.0.image_b64", "keyframes.1.image_b64"]),
        ([keyframe(0), keyframe("8.5")], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(True)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(8.5)], ["keyframes.1.frame_idx"]),
        ([keyframe(0), keyframe(8, strength=1.01)], ["keyframes.1.strength"]),
        ([keyframe(0), keyframe(8, strength=-0.01)], ["keyframes.1.strength"]),
        ([keyframe(0), keyframe(8, strength=float("nan"))], ["keyframes.1.strength"]),
        ([keyframe(0), keyframe(8, strength=True)], ["keyframes.1.strength"]),
        ([keyframe(0), keyframe(8, crf=52)], ["keyframes.1.crf"]),
        ([keyframe(0), keyframe(8, crf=-1)], ["keyframes.1.crf"]),
        ([keyframe(0), keyframe(8, crf=1.5)], ["keyframes.1.crf"]),
        ([keyframe(0), None], ["keyframes"]),
        ([keyframe(0), "QUJD"], ["keyframes.1"]),
        ("QUJD", ["keyframes"]),
        ({"0": keyframe(0)}, ["keyframes"]),
        ([keyframe(0)] * 1002, ["keyframes"]),
        ([5] * 100_000, ["keyframes"]),
    ],
)
def test_keyframes_that_are_refused(refuse, keyframes: Any, locs: list[str]) -> None:
    assert refuse(keyframes=keyframes) == locs


def test_nulls_in_a_keyframe_count_as_absent(resolve) -> None:
    nulls = keyframe(8, strength=None, crf=None, unknown=None)
    assert resolve(strict=True, keyframes=[keyframe(0), nulls]) == resolve(keyframes=[keyframe(0), keyframe(8)])


def test_the_limits_of_strength_and_crf_are_inclusive(resolve) -> None:
    request = resolve(keyframes=[keyframe(0, strength=0, crf=51), keyframe(8, strength=1, crf=0.0)])
    assert [(image.strength, image.crf) for image in request.images] == [(0, 51), (1, 0)]


def test_keyframes_win_over_a_single_image(resolve) -> None:
    request = resolve(keyframes=[keyframe(0), keyframe(8)], input_image_b64=CHANGED)
    assert [image.data for image in request.images] == [b"ABC", b"ABC"]
    [adjustment] = request.adjustments
    assert (adjustment.field, adjustment.requested, adjustment.used) == ("input_image_b64", CHANGED, None)


@pytest.mark.parametrize("image", ["  ", "data:image/png;base64,", "not base64", "QUJDR", "é"])
def test_a_bad_image_is_refused_where_it_was_sent(refuse, image: str) -> None:
    assert refuse(input_image_b64=image) == ["input_image_b64"]
    assert refuse(image=image) == ["image"]
    assert refuse(images=[{"image_b64": image}]) == ["images.0.image_b64"]


def test_the_repr_of_an_image_omits_its_bytes(resolve) -> None:
    assert "ABC" not in repr(resolve(input_image_b64=IMAGE))
