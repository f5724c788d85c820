"""Build the messages to the language model: our instructions, and separately the user's words as material.

The instructions are `prompts/*.txt`, one file for each mode.
"""

import re
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TypedDict

from enhancer.sentences import bound

# Florence-2 writes 60 to 120 words; more is a loop.
MAX_CAPTION_WORDS = 150

DELIMITERS = ("<description>", "</description>", "<picture>", "</picture>")

# Anything that could pass for one of our delimiters, or for a special token of a chat template: <|eot_id|>.
_TAG_OPENS = re.compile(r"<(?=\s*[/|A-Za-z])")


class Mode(StrEnum):
    """The material that the clip is made from."""

    T2V = "t2v"
    I2V = "i2v"
    KEYFRAMES = "keyframes"


class Message(TypedDict):
    """A message of the OpenAI API."""

    role: str
    content: str


def build_messages(mode: Mode, prompt: str, caption: str | None, duration_s: float) -> list[Message]:
    """Build the messages. `caption` describes the clip's first image; None if there is none."""
    parts = [f"The clip is {_seconds(duration_s)} long.", _enclosed("description", prompt)]
    if caption is not None:
        parts.append(_enclosed("picture", bound(caption, MAX_CAPTION_WORDS)))
    parts.append("Rewrite the description as one paragraph. Write nothing else.")
    return [
        {"role": "system", "content": load_instructions(mode)},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


@cache
def load_instructions(mode: Mode) -> str:
    return files("enhancer").joinpath("prompts", f"{mode}.txt").read_text("utf-8").strip()


def _enclosed(tag: str, text: str) -> str:
    return f"<{tag}>\n{_TAG_OPENS.sub('‹', text.strip())}\n</{tag}>"


def _seconds(duration_s: float) -> str:
    seconds = max(1, round(duration_s))
    return f"{seconds} second" if seconds == 1 else f"{seconds} seconds"
