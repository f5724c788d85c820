"""Retakes, continuations and sounds of one's own on the start page."""

import json
import math
import struct
import wave
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import Server
from tests.page.actions import (
    compose,
    download,
    enter,
    expect_clip,
    frames_of,
    make_clips,
    open_form,
    sent_by_rendering,
)

RATE = 16_000


def write_tone(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        samples = (int(12_000 * math.sin(2 * math.pi * 440 * i / RATE)) for i in range(int(RATE * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


def test_a_part_of_a_clip_is_rendered_anew(page: Page, page_server: Server) -> None:
    [video] = make_clips(page_server, "a red fox in the snow", num_frames=25, generate_audio=True)
    open_form(page)
    page.get_by_role("button", name="Open: a red fox").click()
    page.get_by_role("region", name="Viewer").get_by_role("button", name="Retake").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a red fox in the snow")
    page.get_by_label("Prompt", exact=True).fill("a green fox in the snow")
    enter(page.get_by_label("Start of the part in seconds"), "0.5")
    page.get_by_role("slider", name="End of the part").press("ArrowLeft")
    page.get_by_label("What to render anew").select_option("picture only")

    sent = sent_by_rendering(page)

    assert sent["from_video"] == video
    assert sent["retake"] == {"start": 0.5, "end": 1.0, "audio": False}
    expect(page.get_by_role("button", name="Open: a green fox in the snow")).to_be_visible()
    expect_clip(page)
    assert len(frames_of(download(page))) == 25


def test_a_clip_is_continued(page: Page, page_server: Server) -> None:
    [video] = make_clips(page_server, "a red fox in the snow", num_frames=25)
    open_form(page)
    page.get_by_role("button", name="Open: a red fox").click()
    page.get_by_role("region", name="Viewer").get_by_role("button", name="Continue").click()
    enter(page.get_by_label("Seconds to add"), "0.7")

    sent = sent_by_rendering(page)

    assert (sent["from_video"], sent["continue"]) == (video, {"seconds": 0.7})
    expect(page.get_by_text("41 frames, 1.708 s at 24 fps")).to_be_visible()
    expect_clip(page)
    assert len(frames_of(download(page))) == 41
    page.get_by_role("button", name="Make a new clip instead").click()
    expect(page.get_by_label("Width in pixels")).to_be_visible()


def test_a_sound_of_ones_own_drives_the_clip(page: Page, tmp_path: Path) -> None:
    tone = write_tone(tmp_path / "tone.wav", 1)
    open_form(page)
    compose(page, "a tuning fork", sound=True)
    page.get_by_label("Your own sound").set_input_files(tone)
    expect(page.get_by_text("tone.wav, 1 s")).to_be_visible()
    page.get_by_role("button", name="As long as the sound").click()

    sent = sent_by_rendering(page)

    assert sent["duration"] == 1
    assert json.dumps(sent["audio_b64"]).startswith('"UklGR')
    expect_clip(page)
    assert len(frames_of(download(page))) == 25
    page.get_by_role("button", name="Remove the sound").click()
    expect(page.get_by_text("tone.wav")).to_be_hidden()
