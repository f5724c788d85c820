"""The captioner's process: it owns Florence-2 and captions one image at a time.

Run as `python -P -m enhancer.captioner_main FD`, where FD is its end of a socket pair. Messages are JSON, one object a
line. First in: `{"model", "device", "dtype"}`; first out: `{"ready": DEVICE}` or `{"failed": REASON}`. Then in: `{"id",
"image": PATH}`; out, in the same order: `{"id", "caption"}` or `{"id", "error": REASON}`.

It ends when the other end is closed. On an unexpected error, such as an exhausted card, it ends with a traceback, and
a new process takes its place.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from enhancer.child_setup import die_with_parent, parent_streams
from enhancer.errors import CaptionError, OptionError

if TYPE_CHECKING:
    from enhancer.florence import Florence


def run(received: TextIO, sent: TextIO) -> int:
    options = json.loads(received.readline())
    from enhancer.florence import load_florence

    try:
        florence = load_florence(**options)
    except OptionError as exc:
        _send(sent, {"failed": str(exc)})
        return 1
    _send(sent, {"ready": florence.device})
    for line in received:
        request = json.loads(line)
        _send(sent, {"id": request["id"]} | _answer(florence, Path(request["image"])))
    return 0


def _answer(florence: "Florence", path: Path) -> dict[str, object]:
    try:
        return {"caption": florence.caption(path)}
    except CaptionError as exc:
        return {"error": str(exc)}


def _send(sent: TextIO, message: Mapping[str, object]) -> None:
    sent.write(json.dumps(message) + "\n")
    sent.flush()


def main() -> int:
    die_with_parent()
    # Before torch is imported: threads that spin at the end of each kernel would take the render's cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with suppress(BrokenPipeError, ConnectionResetError), parent_streams(int(sys.argv[1])) as (received, sent):
        return run(received, sent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
