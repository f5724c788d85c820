"""What people do on the start page, by the names that they see or hear."""

import base64
import json
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.conftest import Server
from tests.waiting import wait_for

# 9 frames of 256x256: the smallest clip.
SIDE = 256
SHORTEST_S = "0.375"


def open_form(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("button", name="Ready")).to_be_visible()


def enter(field: Locator, text: str) -> None:
    """Type into a field and leave it."""
    field.fill(text)
    field.press("Tab")


def compose(
    page: Page,
    prompt: str,
    *,
    seed: int = 7,
    width: int = SIDE,
    height: int = SIDE,
    seconds: str = SHORTEST_S,
    sound: bool = False,
) -> None:
    """Fill in the form. A clip without sound takes half the time."""
    page.get_by_label("Prompt", exact=True).fill(prompt)
    enter(page.get_by_label("Width in pixels"), str(width))
    enter(page.get_by_label("Height in pixels"), str(height))
    enter(page.get_by_role("spinbutton", name="Length"), seconds)
    enter(page.get_by_label("Seed", exact=True), str(seed))
    page.get_by_label("With sound").set_checked(sound)


def render(page: Page) -> None:
    page.get_by_role("button", name="Render", exact=True).click()


def sent_by_rendering(page: Page) -> dict[str, Any]:
    """Press the button, and return the request that was sent."""
    with page.expect_request(lambda request: request.url.endswith("/v1/videos") and request.method == "POST") as sent:
        render(page)
    body: dict[str, Any] = json.loads(sent.value.post_data or "")
    return body


def expect_clip(page: Page) -> None:
    """Wait for the player of a finished clip."""
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def download(page: Page) -> Path:
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    return started.value.path()


def drop(page: Page, target: Locator, *files: Path) -> None:
    """Drop files from outside of the browser on an element."""
    box = target.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "data": data}
    for event in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": event, **at})
    session.detach()


def paste(page: Page, picture: Path) -> None:
    """Copy a picture as a browser does, and paste it."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (png) => {
          const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
          await navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
        }""",
        base64.b64encode(picture.read_bytes()).decode(),
    )
    page.keyboard.press("Control+V")


def draw_picture(path: Path, colours: Sequence[tuple[int, int, int]], size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    """Write a picture of four squares in two colours."""
    image = Image.new("RGB", (2, 2))
    image.putdata([colours[0], colours[1], colours[1], colours[0]])
    image.resize(size, Image.Resampling.NEAREST).save(path)
    return path


def frames_of(clip: Path) -> list[NDArray[np.uint8]]:
    with av.open(BytesIO(clip.read_bytes())) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def difference(frame: NDArray[np.uint8], picture: Path) -> float:
    """Return the mean difference of a frame from a picture of its size, of 255."""
    with Image.open(picture) as image:
        expected = np.asarray(image.convert("RGB"), dtype=np.float32)
    return float(np.abs(frame.astype(np.float32) - expected).mean())


def make_clips(server: Server, *prompts: str, **fields: object) -> list[str]:
    """Have small clips rendered without the page, and return their ids. They are silent unless `fields` say so."""
    small = {"width": SIDE, "height": SIDE, "num_frames": 9, "seed": 7, "generate_audio": False}
    with server.client() as client:
        ids: list[str] = [
            client.post("/v1/videos", json={"prompt": prompt, **small, **fields}).json()["id"] for prompt in prompts
        ]
        for made in ids:
            wait_for(partial(_is_completed, client, made))
    return ids


def _is_completed(client: httpx.Client, video: str) -> bool:
    return bool(client.get(f"/v1/videos/{video}").json()["status"] == "completed")
