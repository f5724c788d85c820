"""A clip is rendered from the start page: its progress, its previews, its player, and its end."""

from playwright.sync_api import Page, expect

from tests.conftest import Server
from tests.page.actions import compose, enter, expect_clip, open_form, render
from tests.waiting import wait_for_queue

# Notes every preview that the page shows, however briefly.
NOTE_PREVIEWS = """() => {
  window.previews = new Set();
  new MutationObserver(() => {
    const shown = document.querySelector("img[alt='What the clip looks like so far']");
    if (shown) window.previews.add(shown.src);
  }).observe(document.querySelector("main"), { subtree: true, childList: true, attributes: true });
}"""
IS_PLAYED = """(video) => video.played.length > 0 && video.played.end(video.played.length - 1) > video.duration - 0.1"""
CAN_PLAY_MP4 = """document.createElement("video").canPlayType('video/mp4; codecs="avc1.640028, mp4a.40.2"') !== "" """


def test_a_clip_is_rendered_with_previews_and_plays_to_its_end(page: Page) -> None:
    open_form(page)
    page.evaluate(NOTE_PREVIEWS)
    compose(page, "gulls cry over the quiet harbour", seconds="1.7", sound=True)
    if not page.evaluate(CAN_PLAY_MP4):
        page.get_by_label("File", exact=True).select_option("webm")

    render(page)

    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect_clip(page)
    assert page.evaluate("window.previews.size") > 1
    page.wait_for_function(IS_PLAYED, arg=page.locator("video").element_handle())
    viewer = page.get_by_role("region", name="Viewer")
    for fact in ("256 \u00d7 256", "41 frames, 1.708 s at 24 fps", "7"):
        expect(viewer.get_by_text(fact, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Open: gulls cry over the quiet harbour")).to_be_visible()


def test_several_clips_wait_for_each_other_with_consecutive_seeds(page: Page, page_server: Server) -> None:
    open_form(page)
    compose(page, "a lamp in a dark room", seed=40, seconds="1")
    enter(page.get_by_role("spinbutton", name="Clips"), "3")

    page.get_by_role("button", name="Render 3 clips").click()

    waiting = page.get_by_role("button", name="Open: a lamp in a dark room")
    expect(waiting).to_have_count(3)
    waiting.first.click()
    expect(page.get_by_text("Next in the queue").or_(page.get_by_text("Number 2 in the queue"))).to_be_visible()
    expect_clip(page)
    with page_server.client() as client:
        videos = client.get("/v1/videos").json()["data"]
    assert [(video["seed"], video["status"]) for video in videos] == [(seed, "completed") for seed in (42, 41, 40)]


def test_a_running_clip_is_followed_again_after_a_reload_and_can_be_cancelled(page: Page, page_server: Server) -> None:
    open_form(page)
    compose(page, "a long walk along the shore", width=768, height=512, seconds="10")
    render(page)
    expect(page.get_by_text("Composing, step")).to_be_visible()

    page.reload()
    page.get_by_role("button", name="Open: a long walk along the shore").click()
    expect(page.get_by_text("Composing, step")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()

    expect(page.get_by_text("What you render is kept here.")).to_be_visible()
    with page_server.client() as client:
        assert client.get("/v1/videos").json()["data"] == []
        wait_for_queue(client, running=0, depth=0)
