"""Each example is run as it stands, with a prompt, and with a prompt and an image."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, ROOT, check_clip
from tests.node import NODE, Failed, run

PROMPT = "a blue night sky"
COMMANDS = {
    "curl": ["sh", "clip.sh"],
    "python": [sys.executable, "clip.py"],
    "openai-python": [sys.executable, "clip.py"],
    "openai-node": [NODE, "clip.js"],
    "javascript": [NODE, "clip.mjs"],
    "vercel-ai-sdk": [NODE, "clip.js"],
}
# Tested in a module of their own.
LARGE = {"litellm", "n8n", "nextjs"}


@pytest.mark.parametrize("images", [[], ["first.png"]], ids=["text", "image"])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_makes_a_clip(
    name: str, images: list[str], example: Callable[..., Path], variables: dict[str, str]
) -> None:
    folder = example(name)

    printed = run(*COMMANDS[name], PROMPT, *images, cwd=folder, **variables)

    assert " %\n" in printed
    check_clip(folder / "clip.mp4", shows_image=bool(images))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_says_what_is_wrong(name: str, example: Callable[..., Path], variables: dict[str, str]) -> None:
    folder = example(name)

    with pytest.raises(Failed, match="API key"):
        run(*COMMANDS[name], PROMPT, cwd=folder, **variables | {"LTX23_API_KEY": "sk-wrong"})

    assert not (folder / "clip.mp4").exists()


def test_every_example_is_tested_and_described() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    page = (ROOT / "docs" / "examples.md").read_text()

    assert folders == COMMANDS.keys() | LARGE
    assert [name for name in folders if f"\n| `{name}` | " not in page] == []


def test_the_provider_for_the_ai_sdk(example: Callable[..., Path], variables: dict[str, str]) -> None:
    folder = example("vercel-ai-sdk")
    shutil.copy(Path(__file__).with_name("ai_sdk_provider.test.js"), folder)

    printed = run(NODE, "--test", "--test-reporter=tap", cwd=folder, **variables)

    assert "# pass 5" in printed
