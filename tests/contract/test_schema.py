import json

from server.contract.resolve import resolve_request
from server.contract.schema import request_schema, video_form_schema, video_schema
from server.contract.wire import GenerateRequest, field_names

DOCUMENTED = {
    "prompt",
    "negative_prompt",
    "nag_scale",
    "nag_alpha",
    "nag_tau",
    "nag_audio",
    "tail_guard",
    "embed_metadata",
    "width",
    "height",
    "num_frames",
    "frames",
    "duration",
    "fps",
    "seed",
    "use_random_seed",
    "keyframes",
    "input_image_b64",
    "audio_b64",
    "audio_start",
    "loras",
    "video_b64",
    "from_video",
    "retake",
    "continue",
    "generate_audio",
    "guidance_scale",
    "num_inference_steps",
    "video_format",
    "enhance_prompt",
    "return_json",
    "stream",
}


def test_exactly_the_documented_fields_are_shown() -> None:
    schema = request_schema()
    assert schema["type"] == "object"
    assert schema["properties"].keys() == DOCUMENTED
    assert schema["required"] == ["prompt"]
    assert field_names(GenerateRequest) == DOCUMENTED


def test_the_schema_has_no_references() -> None:
    text = json.dumps(request_schema())
    assert "$ref" not in text
    assert "$defs" not in text


def test_every_field_is_described() -> None:
    assert all(field["description"] for field in request_schema()["properties"].values())


def test_limits_and_defaults_are_in_the_schema() -> None:
    properties = request_schema()["properties"]
    width = properties["width"]
    assert (width["type"], width["default"], width["exclusiveMinimum"], width["maximum"]) == ("integer", 768, 0, 16_384)
    assert properties["prompt"]["maxLength"] == 10_000
    assert properties["video_format"]["enum"] == ["mp4", "webm"]
    assert properties["guidance_scale"]["default"] == 3.1
    assert "default" not in properties["fps"]
    assert "default" not in properties["use_random_seed"]


def test_a_keyframe_is_described_inline() -> None:
    [keyframes, null] = request_schema()["properties"]["keyframes"]["anyOf"]
    assert null == {"type": "null"}
    assert keyframes["minItems"] == 2
    entry = keyframes["items"]
    assert entry["properties"].keys() == {"image_b64", "frame_idx", "strength", "crf"}
    assert entry["required"] == ["image_b64", "frame_idx"]
    assert entry["properties"]["crf"]["default"] == 33


def test_the_example_is_a_valid_request() -> None:
    assert resolve_request(request_schema()["example"], strict=True).adjustments == ()


def test_the_schema_is_a_fresh_copy() -> None:
    request_schema()["properties"].clear()
    assert request_schema()["properties"].keys() == DOCUMENTED


def test_the_schema_has_both_vocabularies_and_no_defaults() -> None:
    """A generated client sends the defaults of the schema, and a default width and height would override `size`."""
    for schema in (video_schema(), video_form_schema()):
        properties = schema["properties"]
        assert {"model", "seconds", "size", "input_reference", "num_frames", "seed"} <= properties.keys()
        assert not any("default" in field for field in properties.values())
        assert schema["required"] == ["prompt"]
