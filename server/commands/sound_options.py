"""The options of `ltx23 generate` and `ltx23 bench` for a sound that drives the picture."""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.direction import Sound
from pipelines.errors import SoundError, SpecError


def add_sound_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--audio",
        type=Path,
        metavar="FILE",
        help="a sound (WAV, MP3, M4A, Ogg, FLAC) that drives the picture and is the clip's track",
    )
    parser.add_argument(
        "--audio-start", type=float, metavar="SECONDS", help="where in the sound the clip begins (default: 0)"
    )


def take_sound(options: dict[str, Any]) -> tuple[Sound | None, Fraction | None]:
    """Remove the options for a sound; return it, and its length from its start on. Raises SpecError.

    The sound is decoded to its end, so that a broken one is found before anything is loaded.
    """
    from pipelines.media.sound import measure_sound

    path, start_s = options.pop("audio", None), options.pop("audio_start", None)
    if path is None:
        if start_s is not None:
            raise SpecError("audio_start", "needs --audio")
        return None, None
    sound = Sound(path, start_s or 0.0)
    try:
        length_s = measure_sound(path)
    except SoundError as exc:
        raise SpecError("audio", f"{path}: {exc}") from exc
    return sound, sound.left_of_s(length_s)
