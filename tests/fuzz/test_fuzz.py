"""A short run of `make fuzz`, and a check that it notices faults."""

import httpx
import pytest

from benchmarks.running_server import RunningServer
from tests.conftest import Server
from tests.fuzz.calls import Fuzzed, fault_of
from tests.fuzz.families import FAMILIES, fuzz


def test_no_request_breaks_the_server(server: Server) -> None:
    fuzzed = Fuzzed(RunningServer(server.url, server.process.pid, server.temp_dir))

    fuzz(server.url, fuzzed, calls=120, number=1)

    assert fuzzed.wrong == []
    assert sum(fuzzed.answers.values()) == fuzzed.calls >= 120
    assert {family for family, _ in fuzzed.answers} == FAMILIES.keys()
    assert list(server.temp_dir.rglob("job-*")) == []


@pytest.mark.parametrize(
    ("status", "body", "is_fault"),
    [
        (200, "clip", False),
        (422, '{"detail": [{"loc": ["body"], "msg": "m", "type": "t"}]}', False),
        (503, "{}", False),
        (422, '{"detail": "no list"}', True),
        (500, "{}", True),
        (502, "{}", True),
    ],
)
def test_faults_are_told_from_valid_answers(status: int, body: str, is_fault: bool) -> None:
    assert (fault_of(httpx.Response(status, text=body)) is not None) == is_fault


def test_a_server_that_does_not_answer_is_a_fault(server: Server) -> None:
    fuzzed = Fuzzed(RunningServer(server.url, server.process.pid, server.temp_dir))

    fuzzed.record("images", "a closed port", lambda: httpx.get("http://127.0.0.1:9/", trust_env=False))

    assert len(fuzzed.wrong) == 1
