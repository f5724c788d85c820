"""A server in a rehearsal, whose rules each test writes for itself, and clients of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltx23_client import LTX23, AsyncLTX23

from tests.conftest import Server, run_server
from weights.tiny import TinyFiles

KEY = "sk-of-this-test"
# Takes half the time of a clip with sound.
SMALL: Any = {"width": 256, "height": 256, "num_frames": 9, "seed": 7, "generate_audio": False}
# Takes seconds even with the tiny model; no test waits for its end.
LONG: Any = {"width": 768, "height": 512, "num_frames": 121}

# A file needs a rule.
NO_FAULTS = 'rules = [{request = "GET /nothing", answer = "status=500"}]'
CREATE, EVENTS, CONTENT = "POST /v1/videos", "GET /v1/videos/*/events", "GET /v1/videos/*/content"


class Rehearsal:
    """The server, the rules by which its answers fail, and the requests that it got during a test."""

    def __init__(self, server: Server, rules: Path, requests: Path) -> None:
        self.url = server.url
        self._rules, self._requests = rules, requests
        self._faults: list[dict[str, str]] = []
        self._seen = len(self._lines())

    def fail(self, request: str, answer: str) -> None:
        """Answer these requests with this fault, besides those named before."""
        self._faults.append({"request": request, "answer": answer})
        self._rules.write_text(
            "".join(f'[[rules]]\nrequest = "{rule["request"]}"\nanswer = "{rule["answer"]}"\n' for rule in self._faults)
        )

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


@pytest.fixture(scope="package")
def rehearsing(
    cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path, Path]]:
    folder = tmp_path_factory.mktemp("python_client")
    rules, requests = folder / "rules.toml", folder / "requests"
    rules.write_text(NO_FAULTS)
    options = ("--rehearsal", "--rehearsal-file", str(rules), "--requests-dir", str(requests))
    with run_server(cache_dir, folder, *options, LTX23_API_KEYS=KEY) as server:
        yield server, rules, requests / "requests.jsonl"


@pytest.fixture
def rehearsal(rehearsing: tuple[Server, Path, Path]) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(*rehearsing)
    yield rehearsal
    rehearsing[1].write_text(NO_FAULTS)


@pytest.fixture
def client(rehearsal: Rehearsal) -> Iterator[LTX23]:
    with LTX23(rehearsal.url, api_key=KEY, http=httpx.Client(trust_env=False, timeout=60)) as client:
        yield client


def async_client(rehearsal: Rehearsal) -> AsyncLTX23:
    return AsyncLTX23(rehearsal.url, api_key=KEY, http=httpx.AsyncClient(trust_env=False, timeout=60))
