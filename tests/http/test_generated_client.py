"""A client that openapi-python-client generates from /openapi.json, with a server that needs a key."""

import importlib
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import av
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from tests.conftest import Server
from tests.http.conftest import KEY, picture
from tests.http.videos import finish

OPERATIONS = ("create_video", "retrieve_video", "list_videos", "download_video", "delete_video", "generate", "health")
# The generator's name for a file.
FILES = dict.fromkeys(("video/mp4", "video/webm", "image/webp", "image/jpeg"), "application/octet-stream")


@pytest.fixture(scope="module")
def sdk(guarded: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Generate the package; yield its operations, models and types, and a client with a key."""
    folder = tmp_path_factory.mktemp("generated")
    with guarded.client() as client:
        (folder / "openapi.json").write_text(json.dumps(client.get("/openapi.json").json()))
    config_file = ConfigFile(content_type_overrides=FILES, post_hooks=[])
    config = Config.from_sources(
        config_file, MetaType.NONE, folder / "openapi.json", "utf-8", overwrite=False, output_path=folder / "ltx23_sdk"
    )
    assert generate(config=config) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        package = importlib.import_module("ltx23_sdk")
        operations = {name: importlib.import_module(f"ltx23_sdk.api.default.{name}") for name in OPERATIONS}
        client = package.AuthenticatedClient(guarded.url, token=KEY, timeout=120, httpx_args={"trust_env": False})
        with client:
            yield SimpleNamespace(
                **operations,
                client=client,
                models=importlib.import_module("ltx23_sdk.models"),
                types=importlib.import_module("ltx23_sdk.types"),
            )


def complete(sdk: SimpleNamespace, guarded: Server, video: Any) -> Any:
    with guarded.client(headers={"x-api-key": KEY}) as client:
        finish(client, {"id": video.id})
    return sdk.retrieve_video.sync(video.id, client=sdk.client)


def test_a_clip_from_creation_to_deletion(sdk: SimpleNamespace, guarded: Server) -> None:
    body = sdk.models.CreateVideoJsonVideoRequest(
        prompt="a red fox", seed=7, size="320x256", num_frames=9, generate_audio=False
    )
    made = sdk.create_video.sync(client=sdk.client, body=body)
    assert (made.seed, made.size, made.adjustments) == (7, "320x256", [])

    done = complete(sdk, guarded, made)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    file = sdk.download_video.sync(done.id, client=sdk.client)
    with av.open(io.BytesIO(file.payload.read())) as clip:
        stream = clip.streams.video[0]
        assert (stream.width, stream.height) == (320, 256)
    assert [video.id for video in sdk.list_videos.sync(client=sdk.client).data] == [done.id]
    assert sdk.delete_video.sync(done.id, client=sdk.client).deleted
    assert "there is no video" in sdk.retrieve_video.sync(done.id, client=sdk.client).detail


def test_a_first_frame_is_uploaded_as_a_file(sdk: SimpleNamespace, guarded: Server) -> None:
    image = sdk.types.File(io.BytesIO(picture()), "first.png", "image/png")
    body = sdk.models.CreateVideoFilesVideoForm(
        prompt="a boat", input_reference=image, seed=1, size="256x256", num_frames=9, generate_audio=False
    )
    made = sdk.create_video.sync(client=sdk.client, body=body)
    assert (made.seed, made.has_audio, made.adjustments) == (1, False, [])

    assert complete(sdk, guarded, made).status == "completed"
    sdk.delete_video.sync(made.id, client=sdk.client)


def test_generate_returns_the_clip(sdk: SimpleNamespace) -> None:
    """The client also sends the defaults in the schema."""
    body = sdk.models.GenerateGenerateRequest(prompt="a red fox", seed=7, width=320, height=256, num_frames=9)
    answer = sdk.generate.sync_detailed(client=sdk.client, body=body)

    assert answer.status_code == 200
    assert (answer.headers["x-ltx-seed"], answer.headers["x-ltx-adjustments"]) == ("7", "[]")
    with av.open(answer.parsed.payload) as clip:
        assert clip.streams.video[0].width == 320


def test_errors_are_objects(sdk: SimpleNamespace) -> None:
    body = sdk.models.CreateVideoJsonVideoRequest(prompt="a red fox", size="large")
    invalid = sdk.create_video.sync(client=sdk.client, body=body)
    assert isinstance(invalid, sdk.models.InvalidAnswer)
    assert [problem.loc for problem in invalid.detail] == [["body", "size"]]
    assert invalid.error.param == "size"

    stranger = type(sdk.client)(sdk.client._base_url, token="wrong", httpx_args={"trust_env": False})
    with stranger:
        refused = sdk.list_videos.sync(client=stranger)
        assert (refused.error.code, sdk.health.sync(client=stranger).status) == ("invalid_api_key", "ok")
