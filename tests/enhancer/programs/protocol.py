"""The captioner's end of the socket, and correct behaviour, for the programs in this folder.

Each program is a captioner that fails in one way, for images of a certain name or the first times that it is started.
"""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path


class Pipe:
    def __init__(self) -> None:
        self.socket = socket.socket(fileno=int(sys.argv[1]))
        self._received = self.socket.makefile("r", encoding="utf-8")
        self.folder = Path(json.loads(self._received.readline())["model"])

    def send(self, message: object) -> None:
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ready(self) -> None:
        self.send({"ready": "cpu"})

    def requests(self) -> Iterator[tuple[int, str]]:
        """Yield the number and image name of each request until the server closes the socket."""
        for line in self._received:
            request = json.loads(line)
            name = Path(request["image"]).stem
            with (self.folder / "asked").open("a") as asked:
                asked.write(f"{name}\n")
            yield request["id"], name

    def answer(self, number: int, name: str) -> None:
        self.send({"id": number, "caption": f"An image of {name}."})

    def life(self) -> int:
        """Count the captioners that were started in this folder, including this one."""
        with (self.folder / "lives").open("a+") as lives:
            lives.write("I")
            return lives.tell()


def hang() -> None:
    threading.Event().wait()
