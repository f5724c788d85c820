"""Show a test its server: the address, and the requests that have arrived there."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltx23_pytest.process import ServerProcess


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it arrived.

    query: the parameters by name; of a repeated one the last. headers: by their names in lower case; a key is
    `removed`. body: as it was sent. fields: of a JSON body or a form, with each image replaced by `{"sha256": ...,
    "bytes": ...}`; None for another body. is_complete: False if the answer came before the whole body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)
    fields: Any
    is_complete: bool

    @property
    def json(self) -> Any:
        """Return the JSON body as it was sent. Raises ValueError if it is something else."""
        return json.loads(self.body)


class Ltx23Server:
    """A running server. url: such as http://127.0.0.1:40123."""

    def __init__(self, process: ServerProcess) -> None:
        self._process, self._requests_dir = process, process.folder / "requests"
        self.url = process.url
        # Those of earlier tests do not count.
        self._first = len(self._lines())

    def __repr__(self) -> str:
        return f"<Ltx23Server {self.url}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Return the requests that have arrived during this test, in their order.

        A request is in the list before it is answered.
        """
        return [_received(json.loads(line)["request"], self._requests_dir) for line in self._lines()[self._first :]]

    def _lines(self) -> list[bytes]:
        # What follows the last line end is empty, or a line that is being written.
        return (self._requests_dir / "requests.jsonl").read_bytes().split(b"\n")[:-1]


def _received(request: dict[str, Any], folder: Path) -> ReceivedRequest:
    body, content = request["body"], request["content"] or {}
    return ReceivedRequest(
        method=request["method"],
        path=request["path"],
        query=dict(request["query"]),
        headers={name.lower(): value for name, value in request["headers"]},
        body=(folder / body["file"]).read_bytes() if body else b"",
        fields=content.get("json", content.get("form")),
        is_complete=request["is_complete"],
    )
