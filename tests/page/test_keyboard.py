"""The start page without a mouse."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.actions import SHORTEST_S, expect_clip, frames_of, open_form


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if control.evaluate("(control) => control === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {control}")


def test_the_keyboard_alone_makes_a_clip(page: Page) -> None:
    open_form(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the prompt")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    page.keyboard.type("a lamp in a dark room")
    tab_to(page, page.get_by_role("button", name="1:1"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_label("Short side"))
    page.keyboard.type("256 p")
    tab_to(page, page.get_by_role("spinbutton", name="Length"))
    page.keyboard.type(SHORTEST_S)

    page.keyboard.press("Control+Enter")

    expect_clip(page)
    tab_to(page, page.get_by_role("link", name="Download"))
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    frames = frames_of(started.value.path())
    assert (len(frames), frames[0].shape) == (9, (256, 256, 3))
    tab_to(page, page.get_by_role("button", name="Open: a lamp in a dark room"))


def test_nothing_is_rendered_behind_a_dialog(page: Page) -> None:
    open_form(page)
    page.get_by_label("Prompt", exact=True).fill("a lamp in a dark room")
    page.get_by_role("button", name="Copy the request as code").click()

    page.get_by_label("The request in curl").press("Control+Enter")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_text("What you render is kept here.")).to_be_visible()


@pytest.mark.parametrize(("button", "title"), [("Ready", "Server"), ("Copy the request as code", "Copy as code")])
def test_a_dialog_is_closed_by_the_keyboard_and_gives_the_focus_back(
    page: Page, axe: Callable[[Page], list[str]], button: str, title: str
) -> None:
    open_form(page)
    opener = page.get_by_role("button", name=button)
    dialog = page.get_by_role("dialog", name=title)
    opener.focus()

    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert axe(page) == []
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Close").press("Enter")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
