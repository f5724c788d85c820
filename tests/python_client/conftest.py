"""A server in a rehearsal, whose rules each test writes for itself, and clients of it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from ltx23_client import LTX23, AsyncLTX23

from tests.conftest import KEYS, NO_FAULTS, Server

KEY = KEYS["python"]
# Takes half the time of a clip with sound.
SMALL: Any = {"width": 256, "height": 256, "num_frames": 9, "seed": 7, "generate_audio": False}
# Takes seconds even with the tiny model; no test waits for its end.
LONG: Any = {"width": 768, "height": 512, "num_frames": 121}

CREATE, EVENTS, CONTENT = "POST /v1/videos", "GET /v1/videos/*/events", "GET /v1/videos/*/content"


class Rehearsal:
    """The server, the rules by which its answers fail, and the requests that it got during a test."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self._rules = server.temp_dir / "rules.toml"
        self._requests = server.temp_dir / "requests" / "requests.jsonl"
        self._faults: list[dict[str, str]] = []
        self._seen = len(self._lines())

    def fail(self, request: str, answer: str) -> None:
        """Answer these requests with this fault, besides those named before."""
        self._faults.append({"request": request, "answer": answer})
        self._rules.write_text(
            "".join(f'[[rules]]\nrequest = "{rule["request"]}"\nanswer = "{rule["answer"]}"\n' for rule in self._faults)
        )

    def fail_no_more(self) -> None:
        self._rules.write_text(NO_FAULTS)

    def requests(self, request: str) -> list[dict[str, Any]]:
        method, _, path = request.partition(" ")
        begin, _, end = path.partition("*")
        return [
            line["request"] | {"headers": dict(line["request"]["headers"])}
            for line in self._lines()[self._seen :]
            if line["request"]["method"] == method
            and line["request"]["path"].startswith(begin)
            and line["request"]["path"].endswith(end or begin)
        ]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._requests.read_text().splitlines()] if self._requests.exists() else []


@pytest.fixture
def rehearsal(server_for_clients: Server) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(server_for_clients)
    yield rehearsal
    rehearsal.fail_no_more()


@pytest.fixture
def client(rehearsal: Rehearsal) -> Iterator[LTX23]:
    with LTX23(rehearsal.url, api_key=KEY, http=httpx.Client(trust_env=False, timeout=60)) as client:
        yield client


def async_client(rehearsal: Rehearsal) -> AsyncLTX23:
    return AsyncLTX23(rehearsal.url, api_key=KEY, http=httpx.AsyncClient(trust_env=False, timeout=60))
