"""The record of a request: what a later server renders from it."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.direction import Sound
from pipelines.spec import GenerationSpec, Keyframe
from server.videos.prepared import PreparedRequest, request_from_json, request_to_json


def prepared(sound: Sound | None) -> PreparedRequest:
    spec = GenerationSpec("a fox", 1, 256, 256, 9, Fraction(24), (Keyframe(Path("old/image-0")),), sound=sound)
    return PreparedRequest(spec, "a fox")


@pytest.mark.parametrize("sound", [None, Sound(Path("old/sound"), 0.25)])
def test_files_are_found_in_the_folder_of_the_video(sound: Sound | None) -> None:
    found = request_from_json(request_to_json(prepared(sound)), Path("new"))

    assert [path.parent for path in found.spec.inputs] == [Path("new")] * len(found.spec.inputs)
    assert found.spec.keyframes == (Keyframe(Path("new/image-0")),)
    assert found.spec.sound == (None if sound is None else Sound(Path("new/sound"), 0.25))


def test_older_servers_read_what_has_no_sound() -> None:
    assert "sound" not in json.loads(request_to_json(prepared(None)))["spec"]
