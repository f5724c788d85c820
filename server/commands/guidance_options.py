"""The options of `ltx23 generate` and `ltx23 bench` for a negative prompt."""

import argparse
from typing import Any

from pipelines.direction import DEFAULT_NEGATIVE_PROMPT, Guidance
from pipelines.errors import SpecError
from server.commands.streams import decode_prompt

NUMBERS = ("nag_scale", "nag_alpha", "nag_tau")
GUIDANCE_OPTIONS = ("negative_prompt", *NUMBERS, "nag_audio")


def add_guidance_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--negative-prompt", metavar="TEXT", help="what the clip is led away from (normalised attention guidance)"
    )
    parser.add_argument(
        "--nag-scale",
        type=float,
        metavar="X",
        help=f"how far (default: {Guidance.scale:g}); up to 1 it is not. Without --negative-prompt, from: "
        f"{DEFAULT_NEGATIVE_PROMPT}",
    )
    parser.add_argument(
        "--nag-alpha",
        type=float,
        metavar="X",
        help=f"share of the guided attention, 0 .. 1 (default: {Guidance.alpha:g})",
    )
    parser.add_argument(
        "--nag-tau",
        type=float,
        metavar="X",
        help=f"how much larger the guided attention may be than the plain one (default: {Guidance.tau:g})",
    )
    parser.add_argument("--nag-audio", action="store_true", help="guide the sound, too")


def take_guidance(options: dict[str, Any]) -> Guidance | None:
    """Remove the options for guidance and return what they ask for. Raises SpecError."""
    negative_prompt = options.pop("negative_prompt", None)
    numbers = {name: options.pop(name, None) for name in NUMBERS}
    audio = options.pop("nag_audio", False)
    given = {name: value for name, value in numbers.items() if value is not None}
    if negative_prompt is None and "nag_scale" not in given:
        if given or audio:
            raise SpecError(next(iter(given), "nag_audio"), "needs --negative-prompt or --nag-scale")
        return None
    text = DEFAULT_NEGATIVE_PROMPT if negative_prompt is None else decode_prompt(negative_prompt, "negative_prompt")
    return Guidance(text, audio=audio, **{name.removeprefix("nag_"): value for name, value in given.items()})
