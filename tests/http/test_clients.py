"""The requests of public clients, and the parts of the answers that each relies on."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.http.conftest import encode, picture


def test_a_web_application_gets_its_clip(client: httpx.Client) -> None:
    sent = {
        "prompt": "a red fox",
        "num_frames": 25,
        "num_inference_steps": 5,
        "width": 640,
        "height": 384,
        "video_format": "mp4",
    }

    response = client.post("/generate", json=sent, headers={"Authorization": "Bearer key"})

    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert len(response.content) >= 5000
    assert json.loads(response.headers["x-ltx-adjustments"]) == []


def test_a_studio_back_end_gets_its_clip(client: httpx.Client) -> None:
    sent = {
        "prompt": "a red fox",
        "width": 640,
        "height": 360,
        "duration": 0.5,
        "fps": 24,
        "generate_audio": False,
        "guidance_scale": 3.1,
    }

    response = client.post("/generate", json=sent)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("video/")
    assert [a["field"] for a in json.loads(response.headers["x-ltx-adjustments"])] == ["height"]
    assert (response.headers["x-ltx-height"], response.headers["x-ltx-frames"]) == ("384", "9")
    assert "video" in client.post("/generate", json=sent | {"return_json": True}).json()


def test_curl_gets_its_clip(client: httpx.Client) -> None:
    """With -d, curl sends a form by default, and a body even with GET."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b'{"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}'

    assert client.request("GET", "/health", content=b"{}", headers=form).json()["status"] == "ok"
    assert client.request("GET", "/models", content=b"{}", headers=form).json()["data"][0]["id"] == "LTX-23-Video"
    assert client.post("/generate", content=body, headers=form).headers["content-type"] == "video/mp4"


def test_a_workflow_tool_gets_its_clip(client: httpx.Client) -> None:
    """Find the endpoint and its fields in the schema, then send other names."""
    path, properties = discover(client.get("/openapi.json").json())
    assert path == "/generate"
    assert {"prompt", "width", "height", "seed", "keyframes"} <= properties.keys()
    first, last = (encode(picture(color=color, size=(320, 256))) for color in ("orange", "blue"))
    sent = {
        "prompt": "a red fox",
        "seed": 7,
        "num_frames": 9,
        "resolution": "320*256",
        "frame_rate": 12.5,
        "steps": 20,
        "cfg_guidance_scale": 3.1,
        "images": [
            {"image_b64": f"data:image/png;base64,{first}", "frame_index": 0, "strength": 1.0},
            {"image_b64": f"data:image/png;base64,{last}", "frame_index": -1, "strength": 0.8},
        ],
    }

    response = client.post(path, json=sent)

    assert response.status_code == 200, response.text
    assert [response.headers[f"x-ltx-{name}"] for name in ("width", "height", "fps")] == ["320", "256", "12.5"]
    assert json.loads(response.headers["x-ltx-adjustments"]) == []


def discover(openapi: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the last POST path whose JSON body has a prompt, as the tool does; it does not follow `$ref`."""
    found: tuple[str, dict[str, Any]] = ("", {})
    for path, methods in openapi["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        properties = content.get("application/json", {}).get("schema", {}).get("properties", {})
        if "prompt" in properties or "text" in properties:
            found = (path, properties)
    return found


def test_a_workflow_tool_that_sends_one_image_gets_its_clip(generate: Callable) -> None:
    image = encode(picture("JPEG"))

    ours = generate(input_image_b64=image)
    theirs = generate(width=None, height=None, resolution="256x256", images=[{"image_b64": image}])

    assert theirs.content == ours.content


def test_a_media_server_for_agents_gets_its_clip(client: httpx.Client) -> None:
    """Send the key without a scheme, and look for base64 under the names that the client knows."""
    sent = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9, "return_json": True}

    body = client.post("/generate", json=sent, headers={"Authorization": "sk-bare"}).json()

    found = next(body[name] for name in ("b64_json", "base64", "video", "data") if name in body)
    assert b"ftyp" in base64.b64decode(found)[:16]


def test_the_chutes_provider_of_the_ai_sdk_gets_its_clips(client: httpx.Client) -> None:
    """Call one path for each kind of clip."""
    sent = {"prompt": "a red fox", "resolution": "256*256", "num_frames": 9, "steps": 25, "seed": 1}
    image = encode(picture("JPEG"))

    for path, more in (("/text2video", {}), ("/image2video", {"image_b64": image})):
        clip = client.post(path, json=sent | more)
        assert clip.headers["content-type"] == "video/mp4"
        assert clip.content == client.post("/generate", json=sent | more).content
