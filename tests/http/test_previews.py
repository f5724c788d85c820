"""What viewers of a render see: the tiny model's pictures, by the map that is fitted to its VAE."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from tests.conftest import Server, run_server
from tests.http.conftest import FILE_KEY, KEY, encode, picture
from tests.http.videos import PATH, SLOW, create, delete, events, finish
from tests.pipeline.test_tiny_decoder import published
from weights.tiny import TinyFiles

ORANGE = (255, 165, 0)
FIELDS: dict[str, Any] = {"width": 512, "height": 320, "num_frames": 49}


def frames(data: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data)) as shown:
        assert shown.format == "WEBP"
        count = getattr(shown, "n_frames", 1)
        pictures = []
        for i in range(count):
            shown.seek(i)
            pictures.append(np.asarray(shown.convert("RGB"), dtype=float))
        return pictures


def test_a_preview_shows_the_image_of_the_request(client: httpx.Client) -> None:
    video = create(client, input_image_b64=encode(picture(color="orange", size=(512, 320))), **FIELDS)

    response = client.get(f"{PATH}/{video['id']}/preview")

    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    shown = frames(response.content)
    assert len(shown) == 7
    assert shown[0].shape == (60, 96, 3)
    assert np.abs(shown[0].mean((0, 1)) - ORANGE).max() < 40
    delete(client, video)


def test_events_bring_previews_of_both_stages_in_order(client: httpx.Client) -> None:
    video = create(client, **FIELDS)

    previews = []
    for name, data in events(client, video, f"{PATH}/{video['id']}/events?preview=data"):
        if name == "preview":
            previews.append(data)

    assert {data["stage"] for data in previews} == {"stage_1", "stage_2"}
    places = [(data["stage"], data["step"]) for data in previews]
    assert places == sorted(places)
    assert {(data["stage"], data["steps"]) for data in previews} == {("stage_1", 8), ("stage_2", 3)}
    for data in previews:
        assert (data["content_type"], data["url"]) == ("image/webp", None)
        assert len(frames(base64.b64decode(data["data"]))) == 7
    # Nothing of it is left once the clip is there.
    gone = client.get(f"{PATH}/{video['id']}/preview")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "preview_not_found")
    assert "completed" in gone.json()["detail"]
    delete(client, video)


def test_the_link_of_an_event_opens_the_preview_without_a_key(guarded: Server) -> None:
    with guarded.client(headers={"Authorization": f"Bearer {KEY}"}) as owner, guarded.client() as page:
        video = create(owner, **SLOW)
        link = next(data["url"] for name, data in events(owner, video) if name == "preview")
        shown = page.get(link)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        path = f"{PATH}/{video['id']}/preview"
        assert page.get(path).status_code == 401
        assert page.get(path, headers={"Authorization": f"Bearer {FILE_KEY}"}).status_code == 404
        delete(owner, video)


def test_previews_change_nothing_of_the_clip(client: httpx.Client) -> None:
    watched = create(client, **FIELDS)
    with ThreadPoolExecutor() as viewer:
        seen = viewer.submit(lambda: client.get(f"{PATH}/{watched['id']}/preview"))
        finish(client, watched)
    assert seen.result().status_code == 200
    clip = client.get(f"{PATH}/{watched['id']}/content").content

    assert (
        clip
        == client.post("/generate", json=FIELDS | {"prompt": "a red fox", "seed": 7, "generate_audio": False}).content
    )
    delete(client, watched)


def test_a_small_decoder_takes_the_place_of_the_map(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in published(channels=128).items()}
    save_file(tensors, tmp_path / "taeltx2_3.safetensors")
    options = ("--preview-vae", str(tmp_path / "taeltx2_3.safetensors"))
    with run_server(cache_dir, tmp_path, *options) as running, running.client() as http:
        video = create(http, **FIELDS)
        shown = frames(http.get(f"{PATH}/{video['id']}/preview").content)
        delete(http, video)

    assert len(shown) == 7
    assert shown[0].shape == (160, 256, 3)


@pytest.mark.parametrize("video_id", ["video_" + "0" * 32, "x"])
def test_an_unknown_video_has_no_preview(client: httpx.Client, video_id: str) -> None:
    response = client.get(f"{PATH}/{video_id}/preview")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "video_not_found")
