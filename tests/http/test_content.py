"""What the clips of the tiny model show and sound, as a client gets them; in fast mode, too."""

import base64
import io
import math
from collections.abc import Iterator

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Server

WIDTH, HEIGHT, LAST = 384, 256, 24
RATE = 48000


@pytest.fixture(scope="module", params=["server", "fast_server"], ids=["plain", "fast"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    running: Server = request.getfixturevalue(request.param)
    with running.client() as client:
        yield client


def disc(inside: tuple[int, int, int], outside: tuple[int, int, int], column: float) -> np.ndarray:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    is_inside = np.hypot(rows - 0.5, columns - column) < 0.3
    return np.where(is_inside[..., None], inside, outside).astype(np.uint8)


FIRST, SECOND = disc((200, 60, 40), (40, 80, 120), 0.4), disc((230, 220, 190), (30, 110, 60), 1.1)


def encode(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def psnr(frame: np.ndarray, pixels: np.ndarray) -> float:
    return 10 * math.log10(255**2 / np.square(frame.astype(float) - pixels).mean())


def test_each_image_is_shown_at_its_own_frame_and_the_sound_is_the_tone_of_the_prompt(client: httpx.Client) -> None:
    keyframes = [{"image": encode(FIRST), "frame_idx": 0}, {"image": encode(SECOND), "frame_idx": LAST}]
    fields = {"prompt": "A whistle in the distance", "seed": 1, "width": WIDTH, "height": HEIGHT}

    response = client.post("/generate", json=fields | {"num_frames": LAST + 1, "keyframes": keyframes})

    assert response.status_code == 200, response.text
    with av.open(io.BytesIO(response.content)) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    for frame, own, other in ((frames[0], FIRST, SECOND), (frames[LAST], SECOND, FIRST)):
        assert psnr(frame, own) > 18
        assert psnr(frame, own) > psnr(frame, other) + 6
    with av.open(io.BytesIO(response.content)) as clip:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    loudest = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * RATE / len(sound)
    assert abs(loudest - 2000) <= 10
