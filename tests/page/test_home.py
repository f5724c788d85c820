"""GET / in a browser: every state of the page is accessible, fits the screen, and breaks no policy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from benchmarks.page import measure_bytes
from tests.conftest import KEYS, Server
from tests.page.actions import (
    compose,
    draw_picture,
    expect_clip,
    make_clips,
    open_form,
    render,
)
from tests.page.conftest import OpenPage

Axe = Callable[..., list[str]]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 860}}
MAX_BYTES = 150_000

# The rules of axe that look at colours; all others find the same in every theme.
RULES_OF_COLOURS = ("color-contrast", "link-in-text-block")
OVERFLOWING = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
# Reports to a page are sent before its scripts run.
NOTE_VIOLATIONS = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    colours = [[(220, 130, 40), (30, 60, 160)], [(40, 150, 70), (180, 40, 60)]]
    return [draw_picture(tmp_path / f"{i}.png", pair, (320, 240)) for i, pair in enumerate(colours)]


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_state_is_accessible_and_fits_the_screen(
    open_page: OpenPage,
    page_server: Server,
    axe: Axe,
    pictures: list[Path],
    screen: dict[str, Any],
) -> None:
    # Without motion, a colour changes at once with the theme.
    page, _ = open_page(page_server.url, color_scheme="light", reduced_motion="reduce", **screen)
    page.add_init_script(NOTE_VIOLATIONS)

    def check(state: str) -> None:
        assert axe(page) == [], state
        assert page.evaluate(OVERFLOWING) <= 0, state
        page.emulate_media(color_scheme="dark")
        assert axe(page, *RULES_OF_COLOURS) == [], f"{state}, dark"
        page.emulate_media(color_scheme="light")

    open_form(page)
    check("empty")
    page.get_by_label("Add pictures").set_input_files(pictures)
    compose(page, "a red fox trots through fresh snow", width=400, seconds="2", sound=True)
    page.get_by_text("More", exact=True).click()
    page.get_by_text("Negative prompt").click()
    expect(page.get_by_text("the nearest multiple of 64")).to_be_visible()
    check("with pictures")
    expect(page.get_by_role("button", name="Render", exact=True)).to_be_in_viewport()
    render(page)
    expect(page.get_by_role("img", name="What the clip looks like so far")).to_be_in_viewport()
    check("running")
    expect_clip(page)
    check("finished")
    for _ in pictures:
        page.get_by_role("button", name="Remove picture 1").click()
    page.get_by_role("region", name="Viewer").get_by_role("button", name="Retake").click()
    expect(page.get_by_label("Start of the part in seconds")).to_be_visible()
    check("retake")
    page.get_by_role("region", name="Viewer").get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Seconds to add")).to_be_visible()
    check("continue")
    assert page.evaluate("window.violations") == []


def test_the_dialogs_are_accessible_on_a_phone(open_page: OpenPage, page_server: Server, axe: Axe) -> None:
    make_clips(page_server, "a red fox in the snow", "a blue fox in the snow")
    page, _ = open_page(page_server.url, color_scheme="dark", **PHONE)
    open_form(page)

    for opener, title in (("Ready", "Server"), ("Copy the request as code", "Copy as code"), ("Compare", "Compare")):
        if title == "Compare":
            for colour in ("red", "blue"):
                page.get_by_role("button", name=f"Mark to compare: a {colour} fox").click()
        page.get_by_role("button", name=opener, exact=True).click()
        dialog = page.get_by_role("dialog", name=title)
        expect(dialog).to_be_visible()
        assert axe(page) == []
        assert page.evaluate(OVERFLOWING) <= 0
        assert dialog.evaluate("(dialog) => dialog.scrollWidth - dialog.clientWidth") <= 0
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()


def test_the_theme_is_switched_and_kept(page: Page) -> None:
    background = "() => getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    open_form(page)
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert dark != light

    page.get_by_role("button", name="Theme: system").click()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(background) == light
    page.reload()

    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(background) == light


def test_nothing_moves_by_itself_for_people_who_want_less_motion(open_page: OpenPage, page_server: Server) -> None:
    make_clips(page_server, "a red fox in the snow")
    page, _ = open_page(page_server.url, reduced_motion="reduce")
    open_form(page)
    page.get_by_role("button", name="Open: a red fox").click()
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")

    assert page.evaluate("document.querySelector('video').paused")
    assert page.evaluate("document.getAnimations().length") == 0


def test_it_works_behind_a_path_prefix(open_page: OpenPage, server_for_clients: Server) -> None:
    page, problems = open_page(server_for_clients.url, extra_http_headers={"X-Forwarded-Prefix": "/video"})
    problems.expect("status of 401")
    outside: list[str] = []
    page.on("request", lambda request: None if "/video/" in request.url else outside.append(request.url))
    page.goto("/video/")
    page.get_by_label("Key", exact=True).fill(KEYS["proxied-page"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    compose(page, "a lamp in a dark room", sound=True)

    render(page)

    expect_clip(page)
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    expect(page.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("/video/v1/videos/"))
    page.get_by_role("button", name="Copy the request as code").click()
    expect(page.get_by_label("The request in curl")).to_contain_text(f"{server_for_clients.url}/video/generate")
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


def test_the_first_load_is_small(page: Page) -> None:
    size, _ = measure_bytes(page)

    assert size < MAX_BYTES
