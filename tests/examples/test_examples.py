"""Each example is run as it stands, with a prompt, and with a prompt and an image."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.conftest import check_clip
from tests.node import NODE, run

PROMPT = "a blue night sky"
COMMANDS = {
    "curl": ["sh", "clip.sh"],
    "python": [sys.executable, "clip.py"],
    "openai-python": [sys.executable, "clip.py"],
    "openai-node": [NODE, "clip.js"],
    "javascript": [NODE, "clip.mjs"],
    "vercel-ai-sdk": [NODE, "clip.js"],
}


@pytest.mark.parametrize("images", [[], ["first.png"]], ids=["text", "image"])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_makes_a_clip(
    name: str, images: list[str], example: Callable[..., Path], variables: dict[str, str]
) -> None:
    folder = example(name)

    printed = run(*COMMANDS[name], PROMPT, *images, cwd=folder, **variables)

    assert " %\n" in printed
    check_clip(folder / "clip.mp4", shows_image=bool(images))
