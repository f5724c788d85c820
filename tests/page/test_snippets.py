"""The code that the start page copies makes the same clips as the page."""

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.node import run
from tests.page.actions import (
    compose,
    download,
    draw_picture,
    enter,
    expect_clip,
    frames_of,
    open_form,
    render,
    sent_by_rendering,
)

# With what shells, Python, JavaScript and curl's forms treat specially.
PROMPT = '@ "fox"\'s $HOME; \\n `date`;type=x, {snow} \u96ea'


def copy_code(page: Page, language: str) -> str:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = page.get_by_role("dialog", name="Copy as code")
    dialog.get_by_role("button", name=language).click()
    dialog.get_by_role("button", name="Copy", exact=True).click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    code: str = page.evaluate("navigator.clipboard.readText()")
    return code


def run_curl(code: str, folder: Path) -> None:
    run("bash", "-euc", code, cwd=folder)


def run_python(code: str, folder: Path) -> None:
    run(sys.executable, "-c", code, cwd=folder)


def run_javascript(code: str, folder: Path) -> None:
    download_client = code.partition("client: ")[2].partition("\n")[0]
    run("bash", "-euc", download_client, cwd=folder)
    (folder / "clip.mjs").write_text(code)
    run("node", "clip.mjs", cwd=folder)


RUNNERS: dict[str, Callable[[str, Path], None]] = {
    "curl": run_curl,
    "Python": run_python,
    "JavaScript": run_javascript,
}


def expect_the_same_clip(page: Page, folder: Path, clip: Path) -> None:
    """Run the code in each language, which has to make the clip that the page made."""
    expected = [frame.tobytes() for frame in frames_of(clip)]
    for language, run_code in RUNNERS.items():
        run_code(copy_code(page, language), folder)
        made = folder / "clip.mp4"
        assert [frame.tobytes() for frame in frames_of(made)] == expected, language
        made.unlink()


def test_the_code_of_a_clip_makes_it_again(page: Page, tmp_path: Path) -> None:
    open_form(page)
    compose(page, PROMPT, seed=99)
    render(page)
    expect_clip(page)
    clip = download(page)

    page.get_by_role("button", name="Copy as code").click()

    expect_the_same_clip(page, tmp_path, clip)


def test_the_code_of_a_draft_makes_its_clip_from_the_same_files(page: Page, tmp_path: Path) -> None:
    first = draw_picture(tmp_path / "first picture.png", [(220, 130, 40), (30, 60, 160)])
    last = draw_picture(tmp_path / "last,1;.png", [(40, 150, 70), (180, 40, 60)])
    open_form(page)
    compose(page, PROMPT)
    page.get_by_label("Add pictures").set_input_files([first, last])
    page.get_by_role("slider", name="Strength of picture 2").fill("0.5")
    enter(page.get_by_label("crf of picture 1"), "40")
    keyframes = sent_by_rendering(page)["keyframes"]
    assert [(k["frame_idx"], k.get("strength"), k.get("crf")) for k in keyframes] == [(0, None, 40), (8, 0.5, None)]
    expect_clip(page)
    clip = download(page)

    page.get_by_role("button", name="Copy the request as code").click()

    expect_the_same_clip(page, tmp_path, clip)
