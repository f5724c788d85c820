"""The schema as public clients read it: inline `properties`, and no `$ref`."""

import json
from typing import Any

import httpx
import pytest

DOCUMENTED = [
    *("prompt", "negative_prompt", "width", "height", "num_frames", "frames", "duration", "fps", "seed"),
    *("use_random_seed", "keyframes", "input_image_b64", "audio_b64", "audio_start", "loras", "generate_audio"),
    *("nag_scale", "nag_alpha", "nag_tau", "nag_audio", "tail_guard", "video_b64", "from_video", "retake", "continue"),
    *("guidance_scale", "num_inference_steps", "video_format", "enhance_prompt", "return_json", "stream"),
    "embed_metadata",
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
        "generate_audio": True,
        "guidance_scale": 3.1,
        "num_inference_steps": 8,
        "video_format": "mp4",
        "enhance_prompt": False,
        "return_json": False,
        "stream": False,
    }


def test_the_schema_has_no_references(schema: dict[str, Any]) -> None:
    assert "$ref" not in json.dumps(schema)
    [keyframes] = [option for option in schema["properties"]["keyframes"]["anyOf"] if option["type"] == "array"]
    assert set(keyframes["items"]["properties"]) == {"image_b64", "frame_idx", "strength", "crf"}


def test_generate_is_the_last_path_with_a_prompt(openapi: dict[str, Any]) -> None:
    posts = [path for path, methods in openapi["paths"].items() if _takes_a_prompt(methods.get("post", {}))]

    assert posts[-1] == "/generate"
    assert not any("{path}" in path for path in openapi["paths"])


def _takes_a_prompt(operation: dict[str, Any]) -> bool:
    content = operation.get("requestBody", {}).get("content", {})
    properties = content.get("application/json", {}).get("schema", {}).get("properties", {})
    return bool({"prompt", "text"} & properties.keys())


def test_the_example_can_be_rendered(client: httpx.Client, schema: dict[str, Any]) -> None:
    small = {"width": 256, "height": 256, "duration": 0}

    response = client.post("/generate", json=schema["example"] | small, headers={"Prefer": "handling=strict"})

    assert response.status_code == 200, response.text


def test_the_answer_is_described(openapi: dict[str, Any]) -> None:
    assert {"video/mp4", "video/webm"} <= openapi["paths"]["/generate"]["post"]["responses"]["200"]["content"].keys()


def test_every_operation_has_a_unique_id_and_documents_its_answers(openapi: dict[str, Any]) -> None:
    operations = [operation for methods in openapi["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]

    assert len(set(names)) == len(names)
    for operation in operations:
        for status, answer in operation["responses"].items():
            schemas = [content.get("schema") for content in answer.get("content", {}).values()]
            assert answer["description"], operation["operationId"]
            assert status in {"204", "304"} or (schemas and all(schemas)), (operation["operationId"], status)
        keyed = operation["operationId"] not in {"livez", "health"}
        assert ("401" in operation["responses"]) is keyed
        assert operation.get("security", []) == ([{"bearer": []}, {"apiKey": []}] if keyed else [])
    assert openapi["servers"] == [{"url": "/", "description": "This server"}]
    assert openapi["components"]["securitySchemes"]["apiKey"]["name"] == "x-api-key"


def test_titles_are_distinct(openapi: dict[str, Any]) -> None:
    schemas = openapi["components"]["schemas"]
    bodies = {
        body["schema"]["title"]
        for methods in openapi["paths"].values()
        for operation in methods.values()
        for body in operation.get("requestBody", {}).get("content", {}).values()
    }
    titles = [schema["title"] for schema in schemas.values()]

    assert bodies == {"GenerateRequest", "VideoRequest", "VideoForm", "RemixRequest", "EnhancePromptRequest"}
    assert len(set(titles)) == len(titles)
    assert not bodies & set(titles)
