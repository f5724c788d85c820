"""When a clip is rendered with frames beyond its end, and how that is reported."""

from typing import Any

import pytest

from server.contract.resolve import ResolvedRequest

IMAGE = "QUJD"
AT_THE_END: dict[str, Any] = {
    "num_frames": 17,
    "keyframes": [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": -1}],
}
BEFORE_THE_END: dict[str, Any] = {
    "num_frames": 17,
    "keyframes": [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": 8}],
}
NOTE = ("on", "25 frames are rendered, and the last 8 are cut off")


def notes(resolved: ResolvedRequest) -> list[tuple[object, object, str]]:
    return [(a.requested, a.used, a.reason) for a in resolved.adjustments if a.field == "tail_guard"]


@pytest.mark.parametrize("fields", [AT_THE_END | {"tail_guard": "auto"}, {"num_frames": 17, "tail_guard": "on"}])
def test_a_guarded_clip_is_rendered_longer_and_says_so_even_if_strict(resolve, fields: dict[str, Any]) -> None:
    resolved = resolve(strict=True, **fields)

    assert (resolved.spec.num_frames, resolved.spec.delivered_frames) == (25, 17)
    assert resolved.clip_size.num_frames == 25
    assert notes(resolved) == [(fields["tail_guard"], *NOTE)]
    assert len(resolved.adjustments) == 1


@pytest.mark.parametrize(
    "fields",
    [
        AT_THE_END,
        AT_THE_END | {"tail_guard": "off"},
        AT_THE_END | {"tail_guard": None},
        BEFORE_THE_END | {"tail_guard": "auto"},
        {"num_frames": 17, "tail_guard": "auto"},
        {"num_frames": 17, "input_image_b64": IMAGE, "tail_guard": "auto"},
    ],
)
def test_a_clip_is_not_guarded_unless_it_is_asked_for(resolve, fields: dict[str, Any]) -> None:
    resolved = resolve(strict=True, **fields)

    assert resolved == resolve(**{name: value for name, value in fields.items() if name != "tail_guard"})
    assert (resolved.spec.num_frames, resolved.spec.tail_guard) == (17, False)


def test_a_keyframe_that_moves_to_the_end_counts(resolve) -> None:
    keyframes = [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": 23}]

    resolved = resolve(num_frames=24, keyframes=keyframes, tail_guard="auto")

    assert (resolved.spec.delivered_frames, resolved.spec.tail_guard) == (25, True)


def test_the_limits_apply_to_what_is_rendered(resolve, refuse) -> None:
    longest: dict[str, Any] = {"num_frames": 481, "fps": 24}
    assert resolve(**longest | {"num_frames": 473}, tail_guard="on").spec.num_frames == 481
    assert refuse(**longest, tail_guard="on") == ["tail_guard"]

    keyframes = [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": -1}]
    resolved = resolve(**longest, keyframes=keyframes, tail_guard="auto")
    assert not resolved.spec.tail_guard
    assert notes(resolved) == [
        ("auto", "off", "there is no room for 8 more: at 768x512 at most 481 frames are rendered")
    ]


@pytest.mark.parametrize("value", ["yes", True, 1, ["on"]])
def test_values_that_are_refused(refuse, value: Any) -> None:
    assert refuse(tail_guard=value) == ["tail_guard"]
