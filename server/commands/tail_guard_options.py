"""The option of `ltx23 generate` and `ltx23 bench` for frames beyond the end, which are cut off."""

import argparse
from collections.abc import Sequence

from pipelines.spec import TAIL_GUARD_FRAMES, Keyframe


def add_tail_guard_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tail-guard",
        nargs="?",
        const="on",
        default="off",
        choices=("auto", "on", "off"),
        help=f"render {TAIL_GUARD_FRAMES} frames more and cut them off, because the model blurs what is at the end; "
        "`auto`: if a keyframe is at the last frame (default: %(default)s; without a value: on)",
    )


def is_guarded(mode: str, num_frames: int, keyframes: Sequence[Keyframe]) -> bool:
    """Return whether a clip of so many frames is guarded."""
    return mode == "on" or (mode == "auto" and any(keyframe.frame_idx == num_frames - 1 for keyframe in keyframes))
