"""Decode the images of requests in a process of its own, to find broken ones before the request is queued.

Run as `python -P -m server.images.main FD`, where FD is its end of a socket pair. One JSON object per line: `{"path",
"decode"}` in, `{"width", "height"}` or `{"error"}` out. It ends when the other end is closed. A decoder that crashes or
hangs takes down this process and not the server.
"""

import json
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from enhancer.child_setup import die_with_parent, parent_streams
from pipelines.errors import ImageError
from pipelines.media.image import OpenImage
from pipelines.media.image_limits import MAX_DECODE_SECONDS
from server.process.heap import Heap, keep_one_heap


def run(received: Iterable[str], sent: TextIO) -> None:
    heap = Heap()
    for line in received:
        # The signal ends the process, even while a decoder runs.
        signal.setitimer(signal.ITIMER_PROF, MAX_DECODE_SECONDS)
        answer = check(**json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sent.write(json.dumps(answer) + "\n")
        sent.flush()
        heap.trim()


def check(path: str, decode: bool) -> dict[str, Any]:
    """Return the size of one image: as stored, or, with `decode`, as shown after decoding every pixel."""
    try:
        image = OpenImage(Path(path).read_bytes())
        width, height = image.decode().size if decode else image.size
    except ImageError as exc:
        return {"error": str(exc)}
    return {"width": width, "height": height}


def main() -> None:
    die_with_parent()
    keep_one_heap()
    with suppress(BrokenPipeError, ConnectionResetError), parent_streams(int(sys.argv[1])) as (received, sent):
        run(received, sent)


if __name__ == "__main__":
    main()
