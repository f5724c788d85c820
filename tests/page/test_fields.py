"""What the start page says about a request before it is sent, at the field that it concerns."""

import re

from playwright.sync_api import Page, expect

from tests.page.actions import enter, open_form
from tests.page.conftest import Problems


def test_without_a_prompt_nothing_is_sent(page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    with page.expect_request("**/check"):
        open_form(page)
    expect(page.get_by_text("Write a prompt to begin.")).to_be_visible()
    expect(page.get_by_role("button", name="Render", exact=True)).to_be_disabled()

    page.keyboard.press("Control+Enter")
    page.get_by_label("Prompt", exact=True).fill("  ")
    page.keyboard.press("Control+Enter")
    page.get_by_label("Prompt", exact=True).fill("rain")

    expect(page.get_by_role("button", name="Render", exact=True)).to_be_enabled()
    assert {url.rpartition("/")[2] for url in sent} == {"check"}


def test_a_value_that_the_server_changes_is_said_at_its_field(page: Page) -> None:
    open_form(page)
    page.get_by_label("Prompt", exact=True).fill("rain")

    for field, value, said in (
        ("Width in pixels", "300", "the nearest multiple of 64"),
        ("Height in pixels", "4000", "the nearest multiple of 64 within 256 .. 3840 is 3840"),
        ("Rate", "100", "fps is kept within 8 .. 50"),
        ("Length", "60", "at most 20 s"),
    ):
        control = page.get_by_role("spinbutton", name=field)
        enter(control, value)
        expect(page.get_by_text(said)).to_be_visible()
        expect(control).to_have_accessible_description(re.compile(re.escape(said)))
    expect(page.get_by_role("button", name="Render", exact=True)).to_be_enabled()


def test_an_impossible_value_is_an_error_at_its_field(page: Page, problems: Problems) -> None:
    problems.expect("status of 422")
    open_form(page)
    page.get_by_label("Prompt", exact=True).fill("rain")

    for field, value in (("Width in pixels", "0"), ("Height in pixels", "999999")):
        control = page.get_by_label(field, exact=True)
        enter(control, value)
        expect(control).to_have_accessible_description(re.compile("Input should be"))
        expect(page.get_by_role("button", name="Render", exact=True)).to_be_disabled()
        expect(page.get_by_text("Something above has to be changed first.")).to_be_visible()
        enter(control, "512")
        expect(control).not_to_have_accessible_description(re.compile("Input should be"))
        expect(page.get_by_role("button", name="Render", exact=True)).to_be_enabled()


def test_a_shape_a_short_side_and_the_length_make_a_size(page: Page) -> None:
    open_form(page)

    page.get_by_role("button", name="9:16").click()
    page.get_by_label("Short side").select_option("704 p")

    expect(page.get_by_label("Width in pixels")).to_have_value("704")
    expect(page.get_by_label("Height in pixels")).to_have_value("1280")
    page.get_by_role("slider", name="Length").fill("2")
    expect(page.get_by_text("49 frames, 2.042 s")).to_be_visible()


def test_the_draft_survives_a_reload_but_not_in_a_new_tab(page: Page) -> None:
    open_form(page)
    page.get_by_label("Prompt", exact=True).fill("a lantern in the fog")
    enter(page.get_by_label("Seed", exact=True), "12345")

    page.reload()

    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a lantern in the fog")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("12345")
    other = page.context.new_page()
    open_form(other)
    expect(other.get_by_label("Prompt", exact=True)).to_have_value("")
