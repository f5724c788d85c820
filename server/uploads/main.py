"""Decode the files of requests in a process of its own, to find broken ones before a request is queued.

Run as `python -P -m server.uploads.main FD`, where FD is its end of a socket pair. One JSON object per line:
`{"image", "decode"}` in, `{"width", "height"}` or `{"error"}` out; `{"sound"}` in, `{"length_s"}`, a fraction, or
`{"error"}` out; `{"source", "decode"}` in, the fields of SourceInfo or `{"error"}` out. It ends when the other end is
closed. A decoder that crashes or hangs takes down this process and not the server.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from enhancer.child_setup import die_with_parent, parent_streams
from pipelines.errors import ImageError, SoundError, VideoError
from pipelines.media.image import OpenImage
from pipelines.media.image_limits import MAX_DECODE_SECONDS
from server.process.heap import Heap, keep_one_heap


def run(received: Iterable[str], sent: TextIO) -> None:
    heap = Heap()
    for line in received:
        # The signal ends the process, even while a decoder runs.
        signal.setitimer(signal.ITIMER_PROF, MAX_DECODE_SECONDS)
        message = json.loads(line)
        answer = CHECKS[next(iter(message))](**message)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sent.write(json.dumps(answer) + "\n")
        sent.flush()
        heap.trim()


def check_image(image: str, decode: bool) -> dict[str, Any]:
    """Return the size of one image: as stored, or, with `decode`, as shown after decoding every pixel."""
    try:
        opened = OpenImage(Path(image).read_bytes())
        width, height = opened.decode().size if decode else opened.size
    except ImageError as exc:
        return {"error": str(exc)}
    return {"width": width, "height": height}


def check_sound(sound: str) -> dict[str, Any]:
    """Return the length of one sound, after decoding every sample."""
    # Most requests have none.
    from pipelines.media.sound import measure_sound

    try:
        return {"length_s": str(measure_sound(Path(sound)))}
    except SoundError as exc:
        return {"error": str(exc)}


def check_source(source: str, decode: bool) -> dict[str, Any]:
    """Return what a clip holds, with `decode` once every frame of it was read."""
    from pipelines.media.source_video import inspect_source

    try:
        info = asdict(inspect_source(Path(source), decode))
    except VideoError as exc:
        return {"error": str(exc)}
    return info | {name: str(info[name]) for name in ("frame_rate", "stored_rate")}


# By the first name of a message.
CHECKS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "image": check_image,
    "sound": check_sound,
    "source": check_source,
}


def main() -> None:
    die_with_parent()
    keep_one_heap()
    with suppress(BrokenPipeError, ConnectionResetError), parent_streams(int(sys.argv[1])) as (received, sent):
        run(received, sent)


if __name__ == "__main__":
    main()
