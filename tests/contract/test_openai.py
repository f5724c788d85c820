"""OpenAI's field names, read as documented fields."""

from typing import Any

import pytest

from server.contract.errors import Loc, RequestInvalid, relocated
from server.contract.names.openai import read_openai_names
from server.contract.parsing.form import read_form
from server.contract.resolve import resolve_request

IMAGE = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("sent", "values"),
    [
        ({"seconds": "4"}, {"duration": 4.0}),
        ({"seconds": "4s"}, {"duration": 4.0}),
        ({"seconds": 8.5}, {"duration": 8.5}),
        ({"seconds": None, "size": None}, {}),
        ({"seconds": "", "size": "", "input_reference": "", "extra_body": {}}, {}),
        ({"size": "1280x720"}, {"resolution": "1280x720"}),
        ({"size": "720p", "aspect_ratio": "9:16"}, {"resolution": "720p", "aspect_ratio": "9:16"}),
        ({"image_reference": {"image_url": IMAGE}}, {"input_reference": {"image_url": IMAGE}}),
        ({"reference_url": IMAGE}, {"input_reference": IMAGE}),
        ({"generate_sound": False}, {"generate_audio": False}),
        ({"num_outputs_per_prompt": 2}, {"n": 2}),
        ({"seconds": 4, "num_frames": 9}, {"duration": 4, "num_frames": 9, "fps": 24}),
        ({"seconds": 4, "frames": 9, "frame_rate": 0}, {"duration": 4, "frames": 9, "frame_rate": 0, "fps": 24}),
        ({"seconds": 4, "num_frames": 9, "fps": 12}, {"duration": 4, "num_frames": 9, "fps": 12}),
        ({"duration": 4, "num_frames": 9}, {"duration": 4, "num_frames": 9}),
        ({"model": "sora-2", "seed": 1}, {"seed": 1}),
        ({"extra_body": {"seed": 1, "fps": None}}, {"seed": 1}),
        ({"extra_body": '{"seed": 1, "seconds": "4"}'}, {"seed": 1, "duration": 4.0}),
        ({"video_params": {"width": 640, "fps": 16}}, {"width": 640, "fps": 16}),
        ({"extra_body": {"video_params": '{"num_frames": 9}'}}, {"num_frames": 9}),
        ({"extra_json": {"seed": 1}, "extra_params": '{"flow_shift": 3}'}, {"seed": 1, "flow_shift": 3}),
        ({"input": {"seconds": "4", "prompt": "a fox"}}, {"duration": 4.0, "prompt": "a fox"}),
    ],
)
def test_openai_names_become_documented_fields(sent: dict[str, Any], values: dict[str, Any]) -> None:
    assert read_openai_names(sent).values == values


@pytest.mark.parametrize(
    ("sent", "values", "lost"),
    [
        ({"seconds": "soon", "duration": 2}, {"duration": 2}, ["seconds"]),
        ({"seconds": "2", "duration": 2}, {"duration": 2}, []),
        ({"fps": 24, "extra_body": {"fps": 30}}, {"fps": 24}, ["extra_body.fps"]),
        ({"fps": 24, "video_params": {"fps": 24.0}}, {"fps": 24}, []),
        ({"size": "auto", "resolution": "720p"}, {"resolution": "720p"}, []),
        ({"size": "1280x704", "resolution": "720p"}, {"resolution": "1280x704"}, []),
        ({"size": "1280x704", "resolution": "huge"}, {"resolution": "1280x704"}, ["resolution"]),
        ({"generate_audio": True, "generate_sound": False}, {"generate_audio": True}, ["generate_sound"]),
        ({"n": 1, "num_outputs_per_prompt": 1}, {"n": 1}, []),
        ({"n": 1, "num_outputs_per_prompt": 2}, {"n": 1}, ["num_outputs_per_prompt"]),
        ({"input_reference": "AAAA", "image_reference": "BBBB"}, {"input_reference": "AAAA"}, ["image_reference"]),
    ],
)
def test_the_documented_name_wins(sent: dict[str, Any], values: dict[str, Any], lost: list[str]) -> None:
    """The other value is not validated. It is reported if it differs, and then strict handling refuses it."""
    request = read_openai_names(sent)
    assert request.values == values
    assert [adjustment.field for adjustment in request.adjustments] == lost
    if lost:
        with pytest.raises(RequestInvalid) as refusal:
            read_openai_names(sent, strict=True)
        assert [".".join(map(str, error.loc)) for error in refusal.value.errors] == lost
    else:
        assert read_openai_names(sent, strict=True) == request


@pytest.mark.parametrize(
    ("sent", "loc"),
    [
        ({"seconds": "four"}, ("seconds",)),
        ({"seconds": "1e3"}, ("seconds",)),
        ({"seconds": "-1"}, ("seconds",)),
        ({"extra_body": {"seconds": "four"}}, ("extra_body", "seconds")),
        ({"extra_body": "{"}, ("extra_body",)),
        ({"video_params": [1]}, ("video_params",)),
        ({"model": 2}, ("model",)),
        ({"input_reference": {"file_id": "file_1"}}, ("input_reference",)),
        ({"input_reference": [{"file_id": "file_1"}]}, ("input_reference",)),
        ({"image_reference": {"file_id": "file_1"}}, ("image_reference",)),
        ({"input_reference": 5}, ("input_reference",)),
        ({"video_reference": {"video_url": "https://example.com/a.mp4"}}, ("video_reference",)),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_read_is_refused_by_name(sent: dict[str, Any], loc: tuple[str, ...]) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        read_openai_names(sent)
    assert [error.loc for error in refusal.value.errors] == [loc]


@pytest.mark.parametrize(
    "reference",
    [
        "AAAA",
        IMAGE,
        {"image_url": IMAGE},
        {"type": "image_url", "image_url": IMAGE},
        {"image_url": {"url": IMAGE}},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        [IMAGE],
        [{"image_url": {"url": IMAGE}}],
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["input_reference", "image_reference"])
def test_a_reference_image_may_have_any_of_these_shapes(name: str, reference: Any) -> None:
    request = resolve_request(read_openai_names({"prompt": "a fox", name: reference}).values)
    assert [image.data for image in request.images] == [b"\0\0\0"]


@pytest.mark.parametrize("reference", ["AAAA", {"audio_url": "data:audio/wav;base64,AAAA"}, {"url": "AAAA"}], ids=str)
def test_a_reference_sound_may_have_any_of_these_shapes(reference: Any) -> None:
    request = resolve_request(read_openai_names({"prompt": "a fox", "audio_reference": reference}).values)
    assert request.sound is not None
    assert request.sound.data == b"\0\0\0"


@pytest.mark.parametrize(
    ("reference", "loc"),
    [
        ({"audio_url": "https://example.com/a.mp3"}, ("audio_reference", "audio_url")),
        ("https://example.com/a.mp3", ("audio_reference",)),
        ({"audio_url": 5}, ("audio_reference", "audio_url")),
        ({"audio_url": "AAAA", "start": 5}, ("audio_reference",)),
        (["AAAA"], ("audio_reference",)),
    ],
    ids=str,
)
def test_a_reference_sound_that_cannot_be_used_is_refused(reference: Any, loc: tuple[str, ...]) -> None:
    openai = read_openai_names({"prompt": "a fox", "audio_reference": reference})
    with pytest.raises(RequestInvalid) as refusal, relocated(openai.as_sent):
        resolve_request(openai.values)
    assert [error.loc for error in refusal.value.errors] == [loc]


@pytest.mark.parametrize(
    "reference",
    ["https://example.com/a.png", {"image_url": "HTTP://example.com/a.png"}, [IMAGE, IMAGE], {"image": 5}],
    ids=str,
)
def test_a_reference_image_that_cannot_be_used_is_refused(reference: Any) -> None:
    openai = read_openai_names({"prompt": "a fox", "input_reference": reference})
    with pytest.raises(RequestInvalid) as refusal, relocated(openai.as_sent):
        resolve_request(openai.values)
    assert [error.loc[0] for error in refusal.value.errors] == ["input_reference"]


def test_an_error_uses_the_name_that_was_sent() -> None:
    sent = {"seconds": "4", "size": "1280x720", "image_reference": "AAAA", "extra_body": {"fps": 1}, "keyframes": [1]}
    request = read_openai_names(sent)
    locs: list[Loc] = [("duration",), ("resolution",), ("input_reference",), ("fps",), ("keyframes", 1, "crf"), ()]

    assert [request.as_sent(loc) for loc in locs] == [
        ("seconds",),
        ("size",),
        ("image_reference",),
        ("extra_body", "fps"),
        ("keyframes", 1, "crf"),
        (),
    ]


@pytest.mark.parametrize(("text", "audio"), [("True", True), ("1", True), ("on", True), ("", True), ("off", False)])
def test_a_boolean_in_a_form_may_be_spelled_in_several_ways(text: str, audio: bool) -> None:
    fields = read_form([("prompt", "a fox"), ("generate_audio", text), ("seed", ""), ("fps", "24"), ("keyframes", "")])

    assert resolve_request(read_openai_names(fields).values, strict=True).spec.generate_audio is audio
