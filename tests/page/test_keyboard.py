"""The start page without a mouse."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.page.actions import open_form


@pytest.mark.parametrize(("button", "title"), [("Ready", "Server"), ("Copy the request as code", "Copy as code")])
@pytest.mark.parametrize("close", ["Escape", "Close"])
def test_a_dialog_is_closed_by_the_keyboard_and_gives_the_focus_back(
    page: Page, axe: Callable[[Page], list[str]], button: str, title: str, close: str
) -> None:
    open_form(page)
    opener = page.get_by_role("button", name=button)
    opener.focus()

    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    assert axe(page) == []
    if close == "Escape":
        page.keyboard.press("Escape")
    else:
        dialog.get_by_role("button", name="Close").press("Enter")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
