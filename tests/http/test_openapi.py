"""The schema as public clients read it: `properties` in place, and no `$ref` to follow."""

import json
from typing import Any

import httpx
import pytest

DOCUMENTED = [
    *("prompt", "negative_prompt", "width", "height", "num_frames", "frames", "duration", "fps", "seed"),
    *("use_random_seed", "keyframes", "input_image_b64", "generate_audio", "guidance_scale", "num_inference_steps"),
    *("video_format", "enhance_prompt", "return_json"),
]


@pytest.fixture(scope="module")
def openapi(client: httpx.Client) -> dict[str, Any]:
    return client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def schema(openapi: dict[str, Any]) -> dict[str, Any]:
    return openapi["paths"]["/generate"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def test_the_fields_are_the_documented_ones(schema: dict[str, Any]) -> None:
    assert sorted(schema["properties"]) == sorted(DOCUMENTED)
    assert schema["required"] == ["prompt"]


def test_defaults_are_the_documented_ones(schema: dict[str, Any]) -> None:
    found = {name: field["default"] for name, field in schema["properties"].items() if field.get("default") is not None}
    assert found == {
        "negative_prompt": "shaky, glitchy, low quality, worst quality, deformed, distorted",
        "width": 768,
        "height": 512,
        "use_random_seed": True,
        "generate_audio": True,
        "guidance_scale": 3.1,
        "num_inference_steps": 8,
        "video_format": "mp4",
        "enhance_prompt": False,
        "return_json": False,
    }


def test_nothing_is_referred_to(openapi: dict[str, Any], schema: dict[str, Any]) -> None:
    assert "$ref" not in json.dumps(openapi["paths"]["/generate"])
    [keyframes] = [option for option in schema["properties"]["keyframes"]["anyOf"] if option["type"] == "array"]
    assert set(keyframes["items"]["properties"]) == {"image_b64", "frame_idx", "strength", "crf"}


def test_generate_is_the_last_to_make_something_of_a_prompt(openapi: dict[str, Any]) -> None:
    posts = [path for path, methods in openapi["paths"].items() if _takes_a_prompt(methods.get("post", {}))]

    assert posts[-1] == "/generate"
    assert not any("{path}" in path for path in openapi["paths"])


def _takes_a_prompt(operation: dict[str, Any]) -> bool:
    content = operation.get("requestBody", {}).get("content", {})
    properties = content.get("application/json", {}).get("schema", {}).get("properties", {})
    return bool({"prompt", "text"} & properties.keys())


def test_the_example_is_a_request_that_is_served(client: httpx.Client, schema: dict[str, Any]) -> None:
    small = {"width": 256, "height": 256, "duration": 0}

    response = client.post("/generate", json=schema["example"] | small, headers={"Prefer": "handling=strict"})

    assert response.status_code == 200, response.text


def test_the_answer_is_described(openapi: dict[str, Any]) -> None:
    assert {"video/mp4", "video/webm"} <= openapi["paths"]["/generate"]["post"]["responses"]["200"]["content"].keys()
