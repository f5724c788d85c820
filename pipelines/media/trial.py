"""Find out whether an encoder works on this machine, by writing a short clip with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av.logging
import numpy as np

from pipelines.errors import MuxError
from pipelines.media.codecs import Codec
from pipelines.media.muxer import mux
from pipelines.media.probe import verify_clip
from pipelines.spec import GenerationSpec

# Long enough for frames to be reordered.
TRIAL = GenerationSpec("a trial", 0, 256, 256, 9, Fraction(24), generate_audio=False)


def encoding_problem(h264: Codec) -> str | None:
    """Return why the encoder cannot write an mp4 here, in its own words, or None if it can."""
    grey = np.full((TRIAL.num_frames, TRIAL.height, TRIAL.width, 3), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder, captured_errors() as messages:
        path = Path(folder) / "trial.mp4"
        try:
            mux(path, [grey], TRIAL, None, h264)
            verify_clip(path, TRIAL)
        except MuxError as exc:
            return "; ".join(message.strip() for _, _, message in messages) or str(exc)
    return None


@contextmanager
def captured_errors() -> Iterator[list[tuple[int, str, str]]]:
    """Collect what libav logs as errors, which it otherwise drops."""
    level, skips_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=False) as messages:
            yield messages
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)
