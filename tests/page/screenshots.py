"""Make the screenshots of docs/playground.md: `python -m tests.page.screenshots FOLDER`.

Starts a server with the tiny model, uses its page in Chromium, and writes WebP files.
"""

import argparse
import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import Server, run_server
from tests.page.actions import compose, expect_clip, make_clips, open_form, render
from tests.page.browser import MISSING, OPTIONS, find_browser

Colour = tuple[int, int, int]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 1000}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
QUALITY = 82
# The longest that a clip takes here.
PATIENCE_MS = 120_000
PROMPT = "A day over the hills in one shot: the sun rises red, stands high, and sets into a violet dusk, crickets sing."
# The top of the sky, its foot, the sun, and the hills, of each picture.
DAWN: Sequence[Colour] = [(70, 60, 110), (240, 150, 100), (255, 220, 160), (60, 60, 80)]
NOON: Sequence[Colour] = [(60, 130, 210), (190, 220, 240), (255, 250, 220), (70, 130, 70)]
DUSK: Sequence[Colour] = [(30, 25, 70), (170, 80, 130), (250, 170, 120), (30, 30, 50)]
CLIPS = {
    "The sun rises over blue hills, birds wake up.": DAWN,
    "Noon over green hills, wind in the grass.": NOON,
    "Dusk over dark hills, crickets sing.": DUSK,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    if not (path := find_browser()):
        raise SystemExit(MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)
    with tempfile.TemporaryDirectory() as work, run_server(Path(work), Path(work)) as server, sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=OPTIONS)
        pictures = [draw_hills(Path(work) / f"{name}.png", colours) for name, colours in named_pictures().items()]
        for prompt, colours in CLIPS.items():
            first = base64.b64encode(draw_hills(Path(work) / "first.png", colours).read_bytes()).decode()
            make_clips(server, prompt, width=384, num_frames=25, input_image_b64=first)
        show_finished(browser, server, pictures, folder)
        show_rendering(browser, server, pictures, folder)
        show_comparison(browser, server, folder)
        show_phone(browser, server, folder)
        browser.close()


def named_pictures() -> dict[str, Sequence[Colour]]:
    return {"dawn": DAWN, "noon": NOON, "dusk": DUSK}


def draw_hills(path: Path, colours: Sequence[Colour], size: tuple[int, int] = (576, 384)) -> Path:
    """Draw a sky with a sun over two rows of hills."""
    top, foot, sun, hills = colours
    width, height = size
    gradient = Image.linear_gradient("L").resize(size)
    image = Image.composite(Image.new("RGB", size, foot), Image.new("RGB", size, top), gradient)
    draw = ImageDraw.Draw(image)
    radius = height // 8
    at = (width * 2 // 3, height * 2 // 5)
    draw.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=sun)
    draw.ellipse((-width // 4, height * 3 // 5, width * 3 // 4, height * 3 // 2), fill=mix(hills, foot))
    draw.ellipse((width // 3, height * 2 // 3, width * 3 // 2, height * 7 // 4), fill=hills)
    image.save(path)
    return path


def mix(one: Colour, other: Colour) -> Colour:
    red, green, blue = ((a * 2 + b) // 3 for a, b in zip(one, other, strict=True))
    return red, green, blue


def open_page(browser: Browser, server: Server, **options: Any) -> Page:
    context = browser.new_context(base_url=server.url, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    open_form(page)
    return page


def begin_a_day(page: Page, pictures: Sequence[Path]) -> None:
    compose(page, PROMPT, width=576, height=384, seconds="3", sound=True)
    page.get_by_label("Add pictures").set_input_files(pictures)
    expect(page.get_by_role("slider", name="Picture 3", exact=True)).to_be_visible()


def show_finished(browser: Browser, server: Server, pictures: Sequence[Path], folder: Path) -> None:
    page = open_page(browser, server, color_scheme="light", **DESKTOP)
    begin_a_day(page, pictures)
    render(page)
    expect_clip(page)
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
    page.evaluate("document.querySelector('video').pause()")
    expect(page.get_by_role("button", name="Ready")).to_be_visible()
    save(page, folder / "finished.webp")


def show_rendering(browser: Browser, server: Server, pictures: Sequence[Path], folder: Path) -> None:
    page = open_page(browser, server, color_scheme="dark", **DESKTOP)
    begin_a_day(page, pictures)
    render(page)
    expect(page.get_by_text("Composing, step 7 of 8").or_(page.get_by_text("Refining")).first).to_be_visible()
    save(page, folder / "rendering.webp")
    expect_clip(page)


def show_comparison(browser: Browser, server: Server, folder: Path) -> None:
    page = open_page(browser, server, color_scheme="dark", **DESKTOP)
    for prompt in list(CLIPS)[:2]:
        page.get_by_role("button", name=f"Mark to compare: {prompt}").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_function("() => [...document.querySelectorAll('dialog video')].every((v) => v.readyState >= 2)")
    save(page, folder / "compare.webp")


def show_phone(browser: Browser, server: Server, folder: Path) -> None:
    """Put the form and the viewer of a phone beside each other, light and dark."""
    shots = []
    for scheme in ("light", "dark"):
        page = open_page(browser, server, color_scheme=scheme, **PHONE)
        if scheme == "light":
            compose(page, PROMPT, width=576, height=384, seconds="3", sound=True)
            expect(page.get_by_text("576 \u00d7 384").first).to_be_visible()
            page.get_by_role("heading", name="LTX 2.3").evaluate("() => window.scrollTo(0, 0)")
        else:
            page.get_by_role("button", name=f"Open: {PROMPT}").first.click()
            page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
            page.get_by_role("region", name="Viewer").evaluate("(viewer) => viewer.scrollIntoView()")
        shots.append(Image.open(io.BytesIO(page.screenshot())))
    both = Image.new("RGB", (sum(shot.width for shot in shots), shots[0].height))
    for i, shot in enumerate(shots):
        both.paste(shot, (i * shots[0].width, 0))
    both.save(folder / "phone.webp", quality=QUALITY)


def save(page: Page, path: Path) -> None:
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=QUALITY)


if __name__ == "__main__":
    main()
