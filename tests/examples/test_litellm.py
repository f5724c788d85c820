"""The example with LiteLLM, in an environment of its own: 381 MB to install."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, check_clip, python_packages
from tests.node import run

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("images", [[], ["first.png"]], ids=["text", "image"])
def test_litellm_makes_a_clip(images: list[str], example: Callable[..., Path], variables: dict[str, str]) -> None:
    folder = example("litellm")
    python = python_packages(EXAMPLES / "litellm")

    # Otherwise LiteLLM asks the internet for the prices of models.
    variables = variables | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    printed = run(python, "clip.py", "a blue night sky", *images, cwd=folder, **variables)

    assert " %\n" in printed
    check_clip(folder / "clip.mp4", shows_image=bool(images))
