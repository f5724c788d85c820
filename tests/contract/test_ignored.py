import pytest

IMAGE = "QUJD"


def test_the_scale_of_cfg_is_reported_as_unused(adjusted) -> None:
    assert adjusted(guidance_scale=5) == [("guidance_scale", 5, 1.0)]


def test_guidance_at_its_defaults_is_not_an_adjustment(adjusted) -> None:
    default = "shaky, glitchy, low quality, worst quality, deformed, distorted"
    assert adjusted(guidance_scale=3.1, negative_prompt=default, num_inference_steps=8) == []


def test_unknown_fields_are_ignored_and_reported(adjusted) -> None:
    assert adjusted(foo=1, bar="x", baz=[1, 2], qux={"a": 1}) == [
        ("foo", 1, None),
        ("bar", "x", None),
        ("baz", "a list of 2", None),
        ("qux", "an object of 1", None),
    ]


@pytest.mark.parametrize("name", ["keyframes", "images"])
def test_unknown_fields_of_a_keyframe_are_reported(adjusted, name: str) -> None:
    entries = [{"image_b64": IMAGE, "frame_idx": 0, "foo": 1}, {"image_b64": IMAGE, "frame_idx": 8}]
    assert adjusted(**{name: entries}) == [("keyframes.0.foo", 1, None)]


def test_many_unknown_fields_are_counted(adjusted) -> None:
    found = adjusted(**{f"unknown_{i}": i for i in range(1000)})
    assert len(found) == 65
    assert found[-1] == ("*", 936, None)
