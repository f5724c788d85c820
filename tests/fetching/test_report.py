"""The messages of the process that fetches weights, as `pull` reports its progress."""

import io
import json
from typing import Any

import pytest

from server.fetching.main import Report

A, B = "maker/video/a.safetensors", "maker/video/b.safetensors"


class Sent(io.StringIO):
    def last(self) -> dict[str, Any]:
        return json.loads(self.getvalue().splitlines()[-1])


@pytest.fixture
def sent() -> Sent:
    return Sent()


def message(stage: str, name: str, done_bytes: int, total_bytes: int) -> dict[str, Any]:
    return {"stage": stage, "name": name, "done_bytes": done_bytes, "total_bytes": total_bytes}


def test_fetching_counts_all_files_and_verifying_its_own(sent: Sent) -> None:
    report = Report(sent)
    # An earlier process has fetched 30 bytes of the first file, and 5 of the second.
    report.expect(300, {A: 30, B: 5})

    report.begin("downloading", A, 100, 30)
    assert sent.last() == message("fetching", A, 35, 300)
    report.advance(70)

    report.begin("verifying", A, 100)
    assert sent.last() == message("verifying", A, 0, 100)
    report.advance(100)
    report.arrived(A, 100)

    report.begin("downloading", B, 200, 5)
    assert sent.last() == message("fetching", B, 105, 300)


def test_a_file_that_is_fetched_again_counts_from_its_start(sent: Sent) -> None:
    report = Report(sent)
    report.expect(100, {A: 30})
    report.begin("downloading", A, 100, 30)
    report.advance(40)

    report.begin("downloading", A, 100, 0)

    assert sent.last() == message("fetching", A, 0, 100)
