"""Pictures on the start page: dropped, pasted, placed along the clip, and refused in words."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.actions import (
    compose,
    difference,
    download,
    draw_picture,
    drop,
    expect_clip,
    frames_of,
    open_form,
    paste,
    render,
    sent_by_rendering,
)
from tests.page.conftest import Problems

ORANGE_AND_BLUE = [(220, 130, 40), (30, 60, 160)]
GREEN_AND_RED = [(40, 150, 70), (180, 40, 60)]
# Of 255, for the small trained model and H.264.
TOLERANCE = 30


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return draw_picture(tmp_path / "first.png", ORANGE_AND_BLUE)


@pytest.fixture
def last(tmp_path: Path) -> Path:
    return draw_picture(tmp_path / "last.png", GREEN_AND_RED)


def test_a_picture_that_is_dropped_or_pasted_is_the_first_frame(page: Page, first: Path, last: Path) -> None:
    open_form(page)
    compose(page, "a painting of two colours")

    drop(page, page.get_by_role("region", name="Viewer"), last)
    expect(page.get_by_role("img", name="Picture 1")).to_be_visible()
    expect(page.get_by_text("the first frame")).to_be_visible()
    page.get_by_role("button", name="Remove picture 1").click()
    expect(page.get_by_role("img", name="Picture 1")).to_be_hidden()
    paste(page, first)
    expect(page.get_by_role("img", name="Picture 1")).to_be_visible()
    expect(page.get_by_text("the first frame")).to_be_visible()

    render(page)
    expect_clip(page)
    frames = frames_of(download(page))
    assert len(frames) == 9
    assert difference(frames[0], first) < TOLERANCE


def test_keyframes_are_dragged_along_the_clip(page: Page, first: Path, last: Path) -> None:
    open_form(page)
    compose(page, "a painting that changes its colours", seconds="1")
    drop(page, page.get_by_text("Drop or paste pictures"), first, last)
    pin = page.get_by_role("slider", name="Picture 2", exact=True)
    expect(pin).to_have_attribute("aria-valuenow", "24")

    picture = pin.get_by_role("presentation").bounding_box()
    timeline = page.get_by_role("group", name="Timeline").bounding_box()
    assert picture
    assert timeline
    page.mouse.move(picture["x"] + 8, picture["y"] + 8)
    page.mouse.down()
    page.mouse.move(timeline["x"] + timeline["width"] * 0.7, picture["y"] + 60, steps=4)
    page.mouse.move(timeline["x"] + timeline["width"] / 2, picture["y"] + 8, steps=4)
    page.mouse.up()
    expect(pin).to_have_attribute("aria-valuenow", "12")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(pin).to_have_attribute("aria-valuetext", "frame 13, 0.542 seconds")
    expect(page.get_by_label("Frame of picture 2")).to_have_value("13")
    page.get_by_label("Add pictures").set_input_files(first)
    expect(page.get_by_label("Frame of picture 3")).to_have_value("24")

    sent = sent_by_rendering(page)
    assert [keyframe["frame_idx"] for keyframe in sent["keyframes"]] == [0, 13, 24]
    expect_clip(page)
    frames = frames_of(download(page))
    pictures = {0: first, 13: last, 24: first}
    assert [at for at, picture in pictures.items() if difference(frames[at], picture) > TOLERANCE] == []
    assert difference(frames[13], first) > TOLERANCE


def test_the_crop_is_shown_and_the_size_that_shows_the_whole_picture(page: Page, tmp_path: Path) -> None:
    wide = draw_picture(tmp_path / "wide.png", GREEN_AND_RED, (512, 256))
    open_form(page)
    compose(page, "a wide painting")
    page.get_by_label("Add pictures").set_input_files(wide)

    expect(page.get_by_text("50 % is cropped")).to_be_visible()
    page.get_by_role("button", name="Show the whole picture: 512 \u00d7 256").click()

    expect(page.get_by_text("is cropped")).to_be_hidden()
    expect(page.get_by_label("Width in pixels")).to_have_value("512")


def test_a_picture_is_removed_by_its_button_and_by_the_keyboard(page: Page, first: Path, last: Path) -> None:
    open_form(page)
    page.get_by_label("Add pictures").set_input_files([first, last])

    page.get_by_role("slider", name="Picture 1", exact=True).press("Delete")
    expect(page.get_by_role("img", name="Picture 1: last.png")).to_be_visible()
    expect(page.get_by_text("the first frame")).to_be_visible()
    page.get_by_role("button", name="Remove picture 1").click()

    expect(page.get_by_role("img", name="Picture 1")).to_be_hidden()


def test_a_file_that_is_no_picture_is_named_and_a_damaged_one_is_refused_at_its_field(
    page: Page, problems: Problems, first: Path, tmp_path: Path
) -> None:
    problems.expect("status of 422")
    text, damaged = tmp_path / "notes.png", tmp_path / "damaged.png"
    text.write_text("not a picture")
    damaged.write_bytes(first.read_bytes()[:-30])
    open_form(page)
    compose(page, "two paintings")
    drop(page, page.get_by_label("Prompt", exact=True), text)
    expect(page.get_by_text("notes.png is not a picture.")).to_be_visible()
    page.get_by_label("Add pictures").set_input_files([first, damaged])
    expect(page.get_by_role("img", name="Picture 2")).to_be_visible()

    render(page)

    refusal = page.get_by_role("group", name="Pictures").get_by_text("the PNG file is cut short or damaged")
    expect(refusal).to_be_visible()
    expect(page.get_by_text("Something above has to be changed first.")).to_be_visible()
    page.get_by_role("button", name="Remove picture 2").click()
    expect(refusal).to_be_hidden()
    expect(page.get_by_role("button", name="Render", exact=True)).to_be_enabled()


def test_what_is_typed_stays_while_the_page_changes(page: Page) -> None:
    open_form(page)
    width = page.get_by_label("Width in pixels")
    width.press("Control+A")
    width.press_sequentially("64")

    with page.expect_response("**/health"), page.expect_response("**/health"):
        pass

    expect(width).to_have_value("64")
    width.press_sequentially("0")
    width.press("Tab")
    expect(page.get_by_role("group", name="Size")).to_be_visible()
    expect(page.get_by_text("640 \u00d7 512", exact=True).first).to_be_visible()
