"""The process that decodes the images of requests, to see whether they are sound before anything waits for them.

Run as `python -P -m server.image_check_main`. One JSON object a line: in, `{"path", "decode"}`; out, `{"width",
"height"}` or `{"error"}`. It ends when its input does.
Whatever an image does to it, a decoder's crash or endless work, the server has not done itself.
"""

import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from pipelines.errors import ImageError
from pipelines.media.image import OpenImage
from server.heap import Heap, keep_one_heap

# Of CPU time: 64 megapixels take a few. The signal ends the process, in the middle of a decoder too.
MAX_SECONDS = 30


def run(received: Iterable[str], sent: TextIO) -> None:
    heap = Heap()
    for line in received:
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        answer = check(**json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sent.write(json.dumps(answer) + "\n")
        sent.flush()
        heap.trim()


def check(path: str, decode: bool) -> dict[str, Any]:
    """Return the size of one image: as it is stored, or decoded to its last pixel and as it is shown."""
    try:
        image = OpenImage(Path(path).read_bytes())
        width, height = image.decode().size if decode else image.size
    except ImageError as exc:
        return {"error": str(exc)}
    return {"width": width, "height": height}


if __name__ == "__main__":
    keep_one_heap()
    run(sys.stdin, sys.stdout)
