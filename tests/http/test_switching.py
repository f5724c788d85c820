"""The requests of other services' clients, and what docs/switching.md says about their answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.http.conftest import encode, picture

IMAGE = f"data:image/png;base64,{encode(picture())}"
SMALL = {"prompt": "a red fox", "size": "256x256", "num_frames": 9}

Create = Callable[..., httpx.Response]


@pytest.fixture
def create(client: httpx.Client) -> Iterator[Create]:
    """Return a function that creates a video, from JSON or from a form, and deletes it afterwards."""
    made: list[str] = []

    def create(fields: dict[str, Any], *, form: bool = False, **files: Any) -> httpx.Response:
        if form:
            parts = [(name, (None, str(value))) for name, value in fields.items()]
            response = client.post("/v1/videos", files=[*parts, *files.items()])
        else:
            response = client.post("/v1/videos", json=fields)
        if response.is_success:
            made.extend(response.json().get("batch") or [response.json()["id"]])
        return response

    yield create
    for video_id in made:
        client.delete(f"/v1/videos/{video_id}")


def reported(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [adjustment["field"] for adjustment in response.json()["adjustments"]]


def refused(response: httpx.Response) -> tuple[str, str]:
    """Return the field and the type of an error."""
    (error,) = response.json()["detail"]
    return ".".join(map(str, error["loc"][1:])), error["type"]


def test_every_field_of_the_hosted_endpoint_with_its_default(client: httpx.Client) -> None:
    sent = {
        "prompt": "a red fox",
        "negative_prompt": "shaky, glitchy, low quality, worst quality, deformed, distorted",
        "width": 256,
        "height": 256,
        "num_frames": 9,
        "frames": None,
        "duration": None,
        "fps": None,
        "seed": None,
        "use_random_seed": True,
        "keyframes": None,
        "input_image_b64": None,
        "generate_audio": True,
        "guidance_scale": 3.1,
        "num_inference_steps": 8,
        "video_format": "mp4",
        "enhance_prompt": False,
        "return_json": False,
    }

    response = client.post("/generate", json=sent, headers={"Authorization": "Bearer any key"})

    assert response.headers["content-type"] == "video/mp4"
    assert json.loads(response.headers["x-ltx-adjustments"]) == []


def test_what_the_hosted_endpoint_would_not_use_either_is_reported(client: httpx.Client) -> None:
    sent = {"prompt": "a red fox", "width": 250, "height": 256, "num_frames": 10, "guidance_scale": 4, "colour": "red"}

    response = client.post("/generate", json=sent | {"enhance_prompt": True})

    adjustments = json.loads(response.headers["x-ltx-adjustments"])
    fields = {adjustment["field"] for adjustment in adjustments}
    assert fields == {"width", "num_frames", "guidance_scale", "colour", "enhance_prompt"}


SGLANG = {
    "prompt": "a red fox",
    "model": "LTX-23-Video",
    "size": "256x256",
    "fps": 24,
    "num_frames": 9,
    "seed": 1024,
    "n": 1,
    "num_outputs_per_prompt": 1,
    "negative_prompt": "blue",
    "num_inference_steps": 50,
}
SGLANG_UNUSED = {
    "guidance_scale": 1.0,
    "guidance_scale_2": 4.0,
    "true_cfg_scale": 4.0,
    "flow_shift": 5.0,
    "max_sequence_length": 512,
    "enable_teacache": False,
    "generator_device": "cuda",
    "output_quality": "default",
    "output_path": "/outputs",
    "enable_frame_interpolation": False,
    "enable_upscaling": False,
    "diffusers_kwargs": {"max_sequence_length": 512},
}


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_a_request_of_sglang_is_read(create: Create, form: bool) -> None:
    answer = create(SGLANG, form=form)

    assert reported(answer) == []
    video = answer.json()
    assert [video[name] for name in ("size", "fps", "num_frames", "seed")] == ["256x256", 24, 9, 1024]
    assert {"inference_time_s", "peak_memory_mb", "url", "progress"} <= video.keys()
    assert sorted(reported(create(SGLANG | SGLANG_UNUSED))) == sorted(SGLANG_UNUSED)


@pytest.mark.parametrize("group", ["extra_body", "extra_json", "extra_params"])
def test_more_fields_of_sglang_stand_in_an_object(create: Create, group: str) -> None:
    more = {"num_frames": 9, "fps": 30, "seed": 5}

    for form, value in ((False, more), (False, json.dumps(more)), (True, json.dumps(more))):
        answer = create({"prompt": "a red fox", "size": "256x256", group: value}, form=form)
        assert reported(answer) == []
        assert (answer.json()["fps"], answer.json()["seed"]) == (30, 5)


def test_several_videos_of_one_request_of_sglang(create: Create) -> None:
    answer = create(SMALL | {"num_outputs_per_prompt": 2, "seed": 1})

    assert reported(answer) == []
    assert len(answer.json()["batch"]) == 2


def test_a_first_frame_of_sglang_is_a_file_or_a_data_url(create: Create) -> None:
    assert reported(create(SMALL, form=True, input_reference=("a.png", picture(), "image/png"))) == []
    assert reported(create(SMALL | {"reference_url": IMAGE})) == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"reference_url": "https://example.com/a.png"}, ("reference_url", "image_not_fetched")),
        ({"input_reference": "/data/a.png"}, ("input_reference", "image_invalid")),
        ({"video_url": "https://example.com/a.mp4"}, ("video_url", "image_unused")),
        ({"video_path": "/data/a.mp4"}, ("video_path", "image_unused")),
        ({"seed": [1, 2]}, ("seed", "int_type")),
    ],
)
def test_what_sglang_reads_from_elsewhere_is_refused(
    create: Create, fields: dict[str, Any], error: tuple[str, str]
) -> None:
    assert refused(create(SMALL | fields)) == error


def test_lengths_of_sglang(create: Create) -> None:
    without = create({"prompt": "a red fox", "size": "256x256"}).json()
    both = create(SMALL | {"num_frames": 33, "seconds": 4}).json()

    assert (without["num_frames"], without["seconds"]) == (121, "5")
    assert (both["num_frames"], both["fps"], both["seconds"]) == (33, 24, "1")
    assert [(a["field"], a["requested"]) for a in both["adjustments"]] == [("duration", 4)]


VLLM_OMNI = {
    "prompt": "a red fox",
    "width": 256,
    "height": 256,
    "num_frames": 9,
    "fps": 16,
    "num_inference_steps": 40,
    "seed": 42,
    "negative_prompt": "blue",
    "generate_sound": "false",
}
VLLM_OMNI_UNUSED = {
    "guidance_scale": 4.0,
    "guidance_scale_2": 4.0,
    "boundary_ratio": 0.875,
    "flow_shift": 12.0,
    "true_cfg_scale": 1.0,
    "sound_duration": 2,
    "enable_frame_interpolation": "false",
    "short_edge": 480,
    "quality": "high",
    "user": "me",
}


def test_a_request_of_vllm_omni_is_read(create: Create) -> None:
    answer = create(VLLM_OMNI, form=True)

    assert reported(answer) == []
    assert [answer.json()[name] for name in ("size", "fps", "has_audio")] == ["256x256", 16, False]
    assert sorted(reported(create(VLLM_OMNI | VLLM_OMNI_UNUSED, form=True))) == sorted(VLLM_OMNI_UNUSED)


def test_a_clip_has_sound_if_a_client_of_vllm_omni_asks_for_none(create: Create) -> None:
    assert create(SMALL, form=True).json()["has_audio"] is True


def test_a_client_of_vllm_omni_waits_for_the_file(client: httpx.Client) -> None:
    answer = client.post("/v1/videos/sync", files=[(name, (None, str(value))) for name, value in VLLM_OMNI.items()])

    assert answer.headers["content-type"] == "video/mp4"
    assert {"x-inference-time-s", "x-peak-memory-mb"} <= answer.headers.keys()


def test_references_of_vllm_omni(create: Create) -> None:
    def reference(name: str, value: object) -> httpx.Response:
        return create(SMALL | {name: json.dumps(value)}, form=True)

    assert reported(reference("image_reference", {"image_url": IMAGE})) == []
    for name, value, error in (
        ("image_reference", [{"image_url": IMAGE}] * 2, ("image_reference", "too_many_images")),
        ("image_reference", {"file_id": "file_1"}, ("image_reference", "file_id_unsupported")),
        ("image_reference", {"image_url": "https://example.com/a.png"}, ("image_reference", "image_not_fetched")),
        ("video_reference", {"video_url": "https://example.com/a.mp4"}, ("video_reference", "unsupported")),
        ("lora", {"name": "style", "scale": 0.5}, ("lora.name", "lora_unknown")),
    ):
        assert refused(reference(name, value)) == error


@pytest.mark.parametrize(
    ("size", "used", "adjusted"),
    [("1280x720", "1280x704", ["height"]), ("720x1280", "704x1280", ["width"]), ("1792x1024", "1792x1024", [])],
)
def test_sizes_of_openai_are_snapped(create: Create, size: str, used: str, adjusted: list[str]) -> None:
    answer = create({"prompt": "a red fox", "model": "sora-2", "size": size, "num_frames": 9})

    assert answer.json()["size"] == used
    assert reported(answer) == ["model", *adjusted]


def test_lengths_of_openai(create: Create) -> None:
    assert create({"prompt": "a red fox", "size": "256x256", "seconds": "4"}).json()["num_frames"] == 97
    assert create({"prompt": "a red fox", "size": "256x256"}).json()["num_frames"] == 121


def test_characters_of_openai_are_reported(create: Create) -> None:
    assert reported(create(SMALL | {"characters": [{"id": "char_1"}]})) == ["characters"]
