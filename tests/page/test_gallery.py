"""The clips of the server on the start page: found, compared, used again, deleted."""

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Server
from tests.page.actions import make_clips, open_form

TIMES = "(dialog) => [...dialog.querySelectorAll('video')].map((video) => video.currentTime)"
ARE_READY = "(dialog) => [...dialog.querySelectorAll('video')].every((video) => video.readyState >= 2)"
ARE_PLAYED = "(dialog) => [...dialog.querySelectorAll('video')].every((video) => video.played.length > 0)"


def test_clips_are_searched_by_the_words_of_their_prompts(page: Page, page_server: Server) -> None:
    make_clips(page_server, "a red fox in the snow", "a red boat at sea")
    open_form(page)
    fox, boat = (page.get_by_role("button", name=f"Open: a red {what}") for what in ("fox", "boat"))
    expect(boat).to_be_visible()

    page.get_by_label("Search in prompts").fill("SNOW red")
    expect(boat).to_be_hidden()
    expect(fox).to_be_visible()
    page.get_by_label("Search in prompts").fill("whale")

    expect(fox).to_be_hidden()
    expect(page.get_by_text("No clip has \u201cwhale\u201d in its prompt.")).to_be_visible()


def test_two_clips_play_side_by_side_in_step(page: Page, page_server: Server) -> None:
    make_clips(page_server, "a red fox in the snow", "a blue fox in the snow", num_frames=25)
    open_form(page)
    for colour in ("red", "blue"):
        page.get_by_role("button", name=f"Mark to compare: a {colour} fox").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    dialog = page.get_by_role("dialog", name="Compare")
    videos = dialog.element_handle()
    page.wait_for_function(ARE_READY, arg=videos)

    for _ in range(3):
        dialog.get_by_role("button", name="One frame forward").click()
    dialog.get_by_role("button", name="One frame back").click()
    assert dialog.evaluate(TIMES) == pytest.approx([2 / 24, 2 / 24], abs=0.001)
    dialog.get_by_role("button", name="Play or pause").click()
    page.wait_for_function(ARE_PLAYED, arg=videos)
    dialog.get_by_role("button", name="Play or pause").click()
    dialog.get_by_role("slider", name="Time").fill("0.5")

    assert dialog.evaluate(TIMES) == pytest.approx([0.5, 0.5], abs=0.001)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Unmark 2 clips").click()
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_hidden()


def test_a_clip_is_deleted_at_the_second_press(page: Page, page_server: Server) -> None:
    make_clips(page_server, "a red fox in the snow")
    open_form(page)
    page.get_by_role("button", name="Open: a red fox in the snow").click()

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good", exact=True).click()

    expect(page.get_by_text("What you render is kept here.")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_be_hidden()
    with page_server.client() as client:
        assert client.get("/v1/videos").json()["data"] == []


def test_the_settings_of_a_clip_are_used_again(page: Page, page_server: Server) -> None:
    prompt = "a \u201cred\u201d fox in the <b>snow</b>"
    make_clips(page_server, prompt, seed=4242, width=320, video_format="webm", generate_audio=False)
    open_form(page)
    page.get_by_role("button", name="Open: a").click()

    page.get_by_role("button", name="Use these settings").click()

    expect(page.get_by_label("Prompt", exact=True)).to_have_value(prompt)
    expect(page.get_by_label("Width in pixels")).to_have_value("320")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("4242")
    expect(page.get_by_role("button", name="Keep this seed")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("With sound")).not_to_be_checked()
    expect(page.get_by_label("File", exact=True)).to_have_value("webm")
    expect(page.get_by_text("9 frames, 0.375 s", exact=True)).to_be_visible()
