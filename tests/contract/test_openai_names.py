"""OpenAI's names and forms as the documented request."""

from typing import Any

import pytest

from server.contract import RequestInvalid, read_form, read_openai_names, video_form_schema, video_schema


@pytest.mark.parametrize(
    ("sent", "values"),
    [
        ({"seconds": "4"}, {"duration": 4.0}),
        ({"seconds": 8.5}, {"duration": 8.5}),
        ({"seconds": None, "size": None}, {}),
        ({"seconds": "4", "duration": 2}, {"duration": 2}),
        ({"size": "1280x720"}, {"resolution": "1280x720"}),
        ({"input_reference": "AAAA"}, {"input_image_b64": "AAAA"}),
        (
            {"input_reference": {"image_url": "data:image/png;base64,AAAA"}},
            {"input_image_b64": "data:image/png;base64,AAAA"},
        ),
        ({"model": "sora-2", "seed": 1}, {"seed": 1}),
    ],
)
def test_names(sent: dict[str, Any], values: dict[str, Any]) -> None:
    assert read_openai_names(sent).values == values


@pytest.mark.parametrize(
    "sent",
    [
        {"seconds": "four"},
        {"seconds": "1e3"},
        {"seconds": "-1"},
        {"size": "720p"},
        {"size": 720},
        {"model": 2},
        {"input_reference": {"file_id": "file_1"}},
        {"input_reference": {"image_url": "HTTPS://example.com/a.png"}},
        {"input_reference": 5},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_named(sent: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        read_openai_names(sent)
    assert [error.loc for error in refusal.value.errors] == [(next(iter(sent)),)]


def test_an_error_has_the_name_that_was_sent() -> None:
    request = read_openai_names({"seconds": "4", "input_reference": "AAAA"})
    errors = [("duration",), ("input_image_b64",), ("keyframes", 1, "crf"), ()]

    sent = request.as_sent(RequestInvalid([error for loc in errors for error in RequestInvalid.at(loc, "", "").errors]))

    assert [e.loc for e in sent.errors] == [("seconds",), ("input_reference",), ("keyframes", 1, "crf"), ()]


def test_a_form() -> None:
    fields = [("prompt", "12"), ("seed", "7"), ("fps", "23.976"), ("generate_audio", "false"), ("seconds", "4")]
    fields += [("keyframes[][frame_idx]", "0"), ("keyframes[][image_b64]", "1234")]
    fields += [("keyframes[][frame_idx]", "-1"), ("keyframes[][image_b64]", "5678")]
    fields += [("input_reference[image_url]", "data:,"), ("video_format", "webm"), ("width", "wide")]

    assert read_form(fields) == {
        "prompt": "12",
        "seed": 7,
        "fps": 23.976,
        "generate_audio": False,
        "seconds": "4",
        "keyframes": [{"frame_idx": 0, "image_b64": "1234"}, {"frame_idx": -1, "image_b64": "5678"}],
        "input_reference": {"image_url": "data:,"},
        "video_format": "webm",
        "width": "wide",
    }


def test_the_schema_has_both_vocabularies_and_no_defaults() -> None:
    """A generated client sends defaults: `size` would lose to the width and height that nobody chose."""
    for schema in (video_schema(), video_form_schema()):
        properties = schema["properties"]
        assert {"model", "seconds", "size", "input_reference", "num_frames", "seed"} <= properties.keys()
        assert not any("default" in field for field in properties.values())
        assert schema["required"] == ["prompt"]
