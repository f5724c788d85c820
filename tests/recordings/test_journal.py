import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.body_limit import BodyLimit, BodyLimits
from server.recordings.folder import RecordingFolder
from server.recordings.journal import INDEX, RequestJournal
from tests.conftest import RunCommand
from tests.edge.asgi import ask
from tests.edge.conftest import Wire


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["request"] for line in (folder / INDEX).read_text().splitlines()]


def test_a_request_is_written_before_it_is_answered(tmp_path: Path) -> None:
    async def count_lines(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse(str(len(lines(tmp_path))))(scope, receive, send)

    with closing(RecordingFolder(tmp_path, INDEX)) as folder:
        app = RequestJournal(count_lines, folder)
        assert ask(app, "/health").text == "1"
        assert ask(app, "/generate?a=1", "POST", json={"prompt": "a fox"}, headers={"X-API-Key": "secret"}).text == "2"

    health, generate = lines(tmp_path)
    assert (health["method"], health["path"], health["content"]) == ("GET", "/health", None)
    assert (generate["query"], generate["content"]) == ([["a", "1"]], {"json": {"prompt": "a fox"}})
    assert ["x-api-key", "removed"] in generate["headers"]
    assert (tmp_path / generate["body"]["file"]).read_bytes() == b'{"prompt":"a fox"}'


def test_a_request_that_is_refused_unread_is_written(tmp_path: Path) -> None:
    with closing(RecordingFolder(tmp_path, INDEX)) as folder:
        app = RequestJournal(BodyLimit(PlainTextResponse("read"), BodyLimits(max_bytes=4)), folder)
        assert ask(app, "/generate", "POST", content=b"12345").status_code == 413

    (request,) = lines(tmp_path)
    assert (request["is_complete"], request["body"]) == (False, None)


def test_a_request_whose_client_leaves_is_written(endpoint: Callable[[ASGIApp], str], tmp_path: Path) -> None:
    has_left = threading.Event()

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with closing(RecordingFolder(tmp_path, INDEX)) as folder:
        journal = RequestJournal(read, folder)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await journal(scope, receive, send)
            has_left.set()

        url = urlsplit(endpoint(app))
        with Wire((url.hostname or "", url.port or 0)) as client:
            client.send_head("Content-Length: 4")
            client.send(b"{}")
        assert has_left.wait(60)

    (request,) = lines(tmp_path)
    assert request["is_complete"] is False


def test_a_folder_that_cannot_be_written_to_is_named(run_command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_command("serve", "--port", "0", "--requests-dir", str(tmp_path / "file"))

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"ltx23: error: LTX23_REQUESTS_DIR / --requests-dir: {tmp_path}/file: cannot be written to: "
    )
