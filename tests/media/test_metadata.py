"""Metadata in the file of a clip, if it is asked for."""

import json
from pathlib import Path
from typing import Any

import av
import pytest

from pipelines.direction import Guidance, LoraStrength, Retake, Sound
from pipelines.media.metadata import describe_clip
from pipelines.media.muxer import mux
from pipelines.media.probe import verify_clip
from pipelines.spec import Keyframe

PROMPT = 'a fox says "hello" 狐'


def comment(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as source:
        tags = {name.lower(): value for name, value in source.metadata.items()}
    facts: dict[str, Any] = json.loads(tags["comment"])
    return facts


def test_a_file_says_how_it_was_made(container, tmp_path, make_spec, make_frames, make_waveform) -> None:
    spec = make_spec(container=container, prompt=PROMPT, seed=2**63, embed_metadata=True, guidance=Guidance("rain"))
    paths = [tmp_path / f"{number}{container.value}" for number in range(2)]
    for path in paths:
        mux(path, make_frames(spec), spec, make_waveform(spec))
        verify_clip(path, spec)

    facts = comment(paths[0])
    assert (facts["prompt"], facts["seed"], facts["model"]) == (PROMPT, 2**63, "LTX-2.3")
    assert (facts["negative_prompt"], facts["nag_scale"]) == ("rain", 5)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_says_nothing_unless_it_is_asked_to(container, tmp_path, make_spec, make_frames, make_waveform) -> None:
    spec = make_spec(container=container, prompt="a secret fox")
    mux(tmp_path / "clip", make_frames(spec), spec, make_waveform(spec))

    assert b"a secret fox" not in (tmp_path / "clip").read_bytes()


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        (
            {"keyframes": (Keyframe(Path("private/a.png"), 8, 0.5, 20),)},
            {"keyframes": [{"frame_idx": 8, "strength": 0.5, "crf": 20}]},
        ),
        ({"loras": (LoraStrength("style", Path("private/a"), 0.8),)}, {"loras": [{"name": "style", "strength": 0.8}]}),
        ({"num_frames": 17, "tail_guard": True}, {"tail_guard": "on", "num_frames": 9}),
        ({"sound": Sound(Path("private/a.wav"))}, {"audio": "given"}),
        ({"source": Retake(Path("private/a.mp4"), 9, 0, 0.2)}, {"source": "retake"}),
    ],
)
def test_directions_are_described_without_their_files(make_spec, fields: dict[str, Any], facts: dict[str, Any]) -> None:
    text = describe_clip(make_spec(embed_metadata=True, **fields))["comment"]

    assert json.loads(text).items() >= facts.items()
    assert "private" not in text
