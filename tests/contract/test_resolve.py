"""The size, the seed and the specification of a resolved request, and strict handling."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.spec import Container, GenerationSpec, Keyframe
from server.contract.resolve import draw_seed, resolve_request, to_spec, wants_json, wants_stream

IMAGE = "QUJD"
KEYFRAMES = [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": 8}]
DRAWN = 7


def test_a_resolved_request_becomes_a_spec(resolve) -> None:
    keyframes = [
        {"image_b64": IMAGE, "frame_idx": -1, "strength": 0.5, "crf": 0},
        {"image_b64": IMAGE, "frame_idx": 0},
    ]
    resolved = resolve(
        width=1280, height=704, num_frames=25, fps=29.97, seed=3, keyframes=keyframes, generate_audio=False,
        video_format="webm",
    )  # fmt: skip
    assert to_spec(resolved, [Path("a.png"), Path("b.png")], "a better fox", stages=1) == GenerationSpec(
        prompt="a better fox",
        seed=3,
        width=1280,
        height=704,
        num_frames=25,
        frame_rate=Fraction(30000, 1001),
        keyframes=(Keyframe(Path("a.png"), 0, 1.0, 33), Keyframe(Path("b.png"), 24, 0.5, 0)),
        generate_audio=False,
        container=Container.WEBM,
        stages=1,
    )


def test_every_image_needs_its_file(resolve) -> None:
    with pytest.raises(ValueError, match="zip"):
        to_spec(resolve(input_image_b64=IMAGE), [], "a fox")


def test_the_body_is_not_modified(resolve) -> None:
    fields = {"images": [{"image_b64": "QUJD", "frame_index": None}], "frame_rate": 25, "width": None}
    before = {"images": [{"image_b64": "QUJD", "frame_index": None}], "frame_rate": 25, "width": None}
    resolve(**fields)
    assert fields == before


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({}, False),
        *[({"return_json": value}, False) for value in (None, "", "false", "0", 0, False)],
        *[({"return_json": value}, True) for value in ("true", "on", 1, True)],
        ({"input": {"return_json": "yes"}}, True),
    ],
)
def test_wants_json_follows_return_json(body: dict, meaning: bool) -> None:
    assert wants_json(body) is meaning


@pytest.mark.parametrize(("value", "meaning"), [("true", True), (1, True), (None, False), ("no", False), ("so", False)])
def test_wants_stream_follows_stream(value: object, meaning: bool) -> None:
    """A value that is neither is refused when the request is resolved."""
    assert wants_stream({"stream": value}) is meaning
    assert wants_stream({"input": {"stream": value}}) is meaning


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"width": 1920, "height": 1080}, [("height", 1080, 1088)]),
        ({"width": 1000, "height": 500}, [("width", 1000, 1024), ("height", 500, 512)]),
        ({"width": 768, "height": 512}, []),
        ({"width": 64}, [("width", 64, 256)]),
        ({"width": 1080.0}, [("width", 1080.0, 1088)]),
        ({"width": 16_384, "height": 16_384}, [("width", 16_384, 3840), ("height", 16_384, 2176)]),
    ],
)
def test_a_snapped_side_is_reported(adjusted, sent: dict, expected: list) -> None:
    assert adjusted(**sent, duration=1) == expected


def test_the_size_used(resolve) -> None:
    request = resolve(width=3840, height=2160, duration=1)
    assert (request.spec.width, request.spec.height) == (3840, 2176)


@pytest.mark.parametrize(
    ("sent", "seed"),
    [
        ({}, DRAWN),
        ({"seed": 5}, 5),
        ({"seed": 0}, 0),
        ({"seed": 2**64 - 1}, 2**64 - 1),
        ({"seed": 5.0}, 5),
        ({"seed": 5, "use_random_seed": False}, 5),
        ({"seed": 5, "use_random_seed": None}, 5),
        ({"seed": 5, "use_random_seed": True}, 5),
        ({"seed": 0, "use_random_seed": True}, 0),
        ({"seed": "5"}, 5),
        ({"seed": -1}, DRAWN),
        ({"seed": "-1"}, DRAWN),
        ({"seed": -1, "use_random_seed": False}, DRAWN),
        ({"seed": "", "use_random_seed": False}, 42),
        ({"use_random_seed": True}, DRAWN),
        ({"use_random_seed": False}, 42),
        ({"use_random_seed": False, "seed": None}, 42),
        ({"use_random_seed": False, "seed": 0}, 0),
    ],
)
def test_the_seed_used(resolve, sent: dict, seed: int) -> None:
    assert resolve(**sent).spec.seed == seed


@pytest.mark.parametrize("seed", [5, -1, None])
@pytest.mark.parametrize("use_random_seed", [True, False, None])
def test_a_seed_is_never_an_adjustment(resolve, seed: int | None, use_random_seed: bool | None) -> None:
    assert resolve(strict=True, seed=seed, use_random_seed=use_random_seed).adjustments == ()


@pytest.mark.parametrize("seed", [-2, 2**64, 10**30, 1e300])
def test_seeds_that_are_refused(refuse, seed: float) -> None:
    assert refuse(seed=seed) == ["seed"]


def test_drawn_seeds_differ_and_fit_a_javascript_number() -> None:
    seeds = {draw_seed() for _ in range(100)}
    assert len(seeds) > 90
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert all(json.loads(json.dumps(float(seed))) == seed for seed in seeds)


def test_a_seed_is_drawn_by_default() -> None:
    assert 0 <= resolve_request({"prompt": "a fox"}).spec.seed < 2**32


@pytest.mark.parametrize(
    ("sent", "locs"),
    [
        ({"width": 1000, "height": 500}, ["width", "height"]),
        ({"resolution": "1920x1080"}, ["resolution"]),
        ({"num_frames": 120}, ["num_frames"]),
        ({"frames": 120}, ["frames"]),
        ({"frames": 121, "num_frames": 9}, ["frames"]),
        ({"fps": 60}, ["fps"]),
        ({"frame_rate": 60}, ["frame_rate"]),
        ({"duration": 60}, ["duration"]),
        ({"num_frames": 121, "duration": 100}, ["duration"]),
        (
            {"num_frames": 24, "keyframes": [KEYFRAMES[0], KEYFRAMES[1] | {"frame_idx": 23}]},
            ["num_frames", "keyframes.1.frame_idx"],
        ),
        ({"guidance_scale": 5}, ["guidance_scale"]),
        ({"cfg_guidance_scale": 5}, ["cfg_guidance_scale"]),
        ({"negative_prompt": "blurry", "nag_scale": 1}, ["negative_prompt"]),
        ({"fps": 25, "frame_rate": 30}, ["frame_rate"]),
        ({"keyframes": KEYFRAMES, "image": IMAGE}, ["image"]),
        ({"images": [{"image_b64": IMAGE, "frame_index": 8}]}, ["images.0.frame_index"]),
        ({"images": [entry | {"foo": 1} for entry in KEYFRAMES]}, ["images.0.foo", "images.1.foo"]),
        ({"keyframes": [entry | {"foo": 1} for entry in KEYFRAMES]}, ["keyframes.0.foo", "keyframes.1.foo"]),
        ({"foo": 1}, ["foo"]),
    ],
)
def test_strict_handling_refuses_each_adjustment_at_its_field(refuse, resolve, sent: dict, locs: list[str]) -> None:
    assert refuse(strict=True, **sent) == locs
    assert len(resolve(**sent).adjustments) == len(locs)


def test_strict_handling_accepts_a_request_without_adjustments(resolve) -> None:
    sent = {"width": 1280, "height": 704, "duration": 4.9, "fps": 23.976, "seed": 1, "keyframes": KEYFRAMES}
    assert resolve(strict=True, **sent) == resolve(**sent)
