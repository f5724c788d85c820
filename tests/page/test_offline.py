"""The start page while its server cannot be reached."""

from playwright.sync_api import Page, expect

from tests.page.actions import compose, expect_clip, open_form, render
from tests.page.conftest import Problems


def test_it_says_so_and_goes_on_when_the_server_is_back(page: Page, problems: Problems) -> None:
    problems.expect("ERR_INTERNET_DISCONNECTED")
    open_form(page)
    compose(page, "a ship in the fog", seconds="1")
    render(page)
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()

    page.context.set_offline(True)
    expect(page.get_by_role("status").get_by_text("Offline")).to_be_attached()
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    expect(page.get_by_role("button", name="Render", exact=True)).to_be_disabled()
    page.get_by_label("Prompt", exact=True).fill("two ships in the fog")
    page.context.set_offline(False)

    expect(page.get_by_role("button", name="Render", exact=True)).to_be_enabled()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("two ships in the fog")
    expect_clip(page)
    expect(page.get_by_text("cannot be reached")).to_be_hidden()
