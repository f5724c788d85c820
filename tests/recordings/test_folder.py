import json
from pathlib import Path
from typing import Any

import pytest

from server.recordings.errors import RecordingError
from server.recordings.exchange import Exchange, RecordedAnswer, RecordedRequest
from server.recordings.folder import RecordingFolder, read_exchanges
from tests.conftest import RunCommand

LINE: dict[str, Any] = {
    "version": 1,
    "request": {"method": "GET", "path": "/health", "query": [], "headers": [], "body": None, "content": None},
    "answer": {"status": 200, "headers": [["content-type", "text/plain"]], "body": None, "end": "complete"},
}
BODY: dict[str, Any] = {"file": "bodies/" + "0" * 64 + ".mp4", "bytes": 3}


def write_line(folder: Path, line: bytes) -> None:
    (folder / "bodies").mkdir(exist_ok=True)
    (folder / "exchanges.jsonl").write_bytes(line)


def with_answer(**fields: Any) -> bytes:
    return json.dumps(LINE | {"answer": LINE["answer"] | fields}).encode() + b"\n"


def test_a_line_of_version_1_is_read(tmp_path: Path) -> None:
    """What an earlier server has written has to stay readable, also with fields of a later one."""
    write_line(tmp_path, json.dumps(LINE | {"later": 1}).encode() + b"\n")

    (exchange,) = read_exchanges(tmp_path)
    assert exchange == Exchange(
        request=RecordedRequest(method="GET", path="/health", query=[], headers=[], body=None, content=None),
        answer=RecordedAnswer(status=200, headers=[("content-type", "text/plain")], body=None, end="complete"),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "Expecting value"),
        (b"[]\n", "version: should be 1, and is None"),
        (json.dumps(LINE | {"version": 2}).encode() + b"\n", "version: should be 1, and is 2"),
        (with_answer(end="soon"), "answer.end: "),
        (with_answer(body=BODY | {"file": "bodies/../../secret"}), "answer.body.file: "),
        (with_answer(body=BODY), "No such file or directory"),
    ],
)
def test_a_line_that_cannot_be_replayed_is_named(
    line: bytes, message: str, tmp_path: Path, run_command: RunCommand
) -> None:
    write_line(tmp_path, with_answer() + line)
    done = run_command("replay", str(tmp_path), "--port", "0")

    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {tmp_path}/exchanges.jsonl, line 2: ")
    assert message in done.stderr


def test_a_body_of_another_size_is_named(tmp_path: Path) -> None:
    write_line(tmp_path, with_answer(body=BODY))
    (tmp_path / BODY["file"]).write_bytes(b"four")

    with pytest.raises(RecordingError, match=r"0\.mp4: should have 3 bytes, and has 4"):
        read_exchanges(tmp_path)


def test_what_a_killed_recorder_left_is_removed(tmp_path: Path) -> None:
    write_line(tmp_path, with_answer() + b'{"version": 1, "requ')
    part = tmp_path / f"{BODY['file']}.part"
    part.write_bytes(b"half")

    assert len(read_exchanges(tmp_path)) == 1
    RecordingFolder(tmp_path).close()
    assert (tmp_path / "exchanges.jsonl").read_bytes() == with_answer()
    assert not part.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["replay", "absent"], "absent/exchanges.jsonl: cannot be read: No such file or directory"),
        (["record", "--to", "{folder}/file", "--upstream", "http://h"], "file: cannot be written to: "),
        (
            ["record", "--to", "{folder}", "--upstream", "example.com"],
            "example.com: is not an address such as https://",
        ),
        (["replay", "{folder}", "--on-miss", "forward"], "--on-miss forward and --upstream URL go together"),
        (["replay", "{folder}", "--upstream", "http://h"], "--on-miss forward and --upstream URL go together"),
    ],
)
def test_an_error_is_one_line(args: list[str], message: str, run_command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_command(*(arg.format(folder=tmp_path) for arg in args), "--port", "0")

    assert done.returncode == 1
    assert done.stderr.startswith("ltx23: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
