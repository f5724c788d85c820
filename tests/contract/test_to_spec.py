from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.spec import Container, GenerationSpec, Keyframe
from server.contract import to_spec

IMAGE = "QUJD"


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
