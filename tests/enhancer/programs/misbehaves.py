"""Fail as the image's name says; caption images of any other name."""

import os
import signal
import sys

from protocol import Pipe, hang

NONSENSE = {
    "nonsense": b"nonsense\n",
    "list": b"[1]\n",
    "deep": b'{"a":' * 5000 + b"\n",
    "bytes": b"\xff\xfe\x00\n",
    "number": b'{"id": 99, "caption": "An image of another."}\n',
    "typeless": b'{"id": 1, "caption": 5}\n',
    "half": b'{"id": 1, "capt',
}

pipe = Pipe()
pipe.ready()
for number, name in pipe.requests():
    match name:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            sys.exit(3)
        case "hang":
            hang()
        case "flood":
            while True:
                pipe.send_bytes(b"x" * 65536)
        case "flood-lines":
            while True:
                pipe.answer(number, name)
        case "leave":
            pipe.answer(number, name)
            sys.exit(0)
        case _ if name in NONSENSE:
            pipe.send_bytes(NONSENSE[name])
            sys.exit(0) if name == "half" else hang()
        case _:
            pipe.answer(number, name)
