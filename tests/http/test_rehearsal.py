"""A rehearsal: requests that ask for failures, on a real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from server.process.logs import FIELDS
from server.worker.messages import Ready
from tests.http.conftest import KEY, SMALL
from tests.jobs.conftest import program_of
from tests.jobs.serving import Served, serve
from tests.waiting import wait_for

HEADER = "X-LTX-Rehearse"


def ask_for(fault: str) -> dict[str, str]:
    return {HEADER: fault}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    work = tmp_path_factory.mktemp("rehearsal")
    with serve(program_of("behaves"), work, cache_dir=work, rehearsal=True, max_body_bytes=10_000) as served:
        served.told(Ready)
        yield served


@pytest.fixture
def rehearsing(rehearsal: Served) -> httpx.Client:
    return rehearsal.client


@pytest.fixture(scope="module")
def video_path(rehearsal: Served) -> str:
    """Return the path of a finished video."""
    path = f"/v1/videos/{rehearsal.client.post('/v1/videos', json=SMALL).json()['id']}"
    wait_for(lambda: rehearsal.client.get(path).json()["status"] == "completed")
    return path


def test_without_a_rehearsal_the_header_is_ignored(client: httpx.Client) -> None:
    for fault in ("status=503", "nonsense"):
        response = client.post("/generate", json=SMALL, headers=ask_for(fault))
        assert response.status_code == 200
        assert "x-ltx-rehearsal" not in response.headers
    assert "rehearsal" not in client.get("/health").json()


def test_health_and_a_header_tell_of_the_rehearsal(rehearsing: httpx.Client) -> None:
    response = rehearsing.get("/health")

    assert response.json()["rehearsal"] is True
    assert response.headers["x-ltx-rehearsal"] == "real"


@pytest.mark.parametrize("path", ["/generate", "/v1/videos"])
def test_a_status_is_answered_in_the_shape_of_the_path(rehearsing: httpx.Client, path: str) -> None:
    full = rehearsing.post(path, json=SMALL, headers=ask_for("status=429; retry-after=3"))
    assert (full.status_code, full.headers["retry-after"]) == (429, "3")
    assert full.headers["x-ltx-rehearsal"] == "status=429; retry-after=3"
    assert full.json()["detail"] == "the queue is full (rehearsed)"
    error = full.json()["error"]
    assert error == "RateLimitExceeded" if path == "/generate" else error["type"] == "rate_limit_error"

    for status, detail in ((500, "the worker process ended"), (503, "the model is loading"), (502, "Bad Gateway")):
        response = rehearsing.post(path, json=SMALL, headers=ask_for(f"status={status}"))
        assert response.status_code == status
        assert response.json()["detail"].startswith(detail)
        assert "retry-after" not in response.headers


def test_a_download_is_answered_with_a_status_too(rehearsing: httpx.Client, video_path: str) -> None:
    response = rehearsing.get(f"{video_path}/content", headers=ask_for("status=599"))

    assert response.status_code == 599
    assert response.json()["detail"] == "status 599 (rehearsed)"


def answers(client: httpx.Client, video_path: str, fault: str) -> Iterator[httpx.Response]:
    """Yield a clip, a stored video and its file, each with the fault."""
    yield client.post("/generate", json=SMALL, headers=ask_for(fault))
    yield client.post("/v1/videos", json=SMALL, headers=ask_for(fault))
    yield client.get(f"{video_path}/content", headers=ask_for(fault))


def test_a_dropped_connection_has_no_answer(rehearsing: httpx.Client, video_path: str) -> None:
    for method, path in (("POST", "/generate"), ("POST", "/v1/videos"), ("GET", f"{video_path}/content")):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            rehearsing.request(method, path, json=SMALL, headers=ask_for("drop=connection"))


@pytest.mark.parametrize(
    ("fault", "part"), [("drop=halfway", 1 / 2), ("corrupt=truncated", 9 / 10), ("trickle=1mb; drop=halfway", 1 / 2)]
)
def test_a_cut_answer_has_fewer_bytes_than_its_content_length(
    rehearsing: httpx.Client, video_path: str, fault: str, part: float
) -> None:
    for method, path in (("POST", "/generate"), ("POST", "/v1/videos"), ("GET", f"{video_path}/content")):
        received: list[bytes] = []
        with rehearsing.stream(method, path, json=SMALL, headers=ask_for(fault)) as response:
            size_bytes = int(response.headers["content-length"])
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
                received.extend(response.iter_raw())
        assert abs(len(b"".join(received)) - size_bytes * part) < 1


def test_a_part_of_a_file_is_cut_like_the_whole(rehearsing: httpx.Client, video_path: str) -> None:
    headers = ask_for("drop=halfway") | {"Range": "bytes=0-3"}
    with rehearsing.stream("GET", f"{video_path}/content", headers=headers) as response:
        assert (response.status_code, response.headers["content-length"]) == (206, "4")
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()


def test_an_empty_answer_is_a_success_without_a_body(rehearsing: httpx.Client, video_path: str) -> None:
    for response in answers(rehearsing, video_path, "corrupt=empty"):
        assert (response.status_code, response.headers["content-length"], response.content) == (200, "0", b"")
        assert response.headers["content-type"] in ("video/mp4", "application/json")


def test_a_page_in_place_of_an_answer_is_html(rehearsing: httpx.Client, video_path: str) -> None:
    for response in answers(rehearsing, video_path, "corrupt=html"):
        assert (response.status_code, response.headers["content-type"]) == (200, "text/html")
        assert "<h1>Bad Gateway</h1>" in response.text
        assert "content-disposition" not in response.headers


def test_a_trickled_or_slow_answer_is_whole(rehearsing: httpx.Client, video_path: str) -> None:
    content = rehearsing.get(f"{video_path}/content").content
    for fault in ("trickle=1mb", f"trickle={5 * len(content)}", "slow=0.01"):
        response = rehearsing.get(f"{video_path}/content", headers=ask_for(fault))
        assert response.content == content
        assert response.headers["x-ltx-rehearsal"] == fault


@pytest.mark.parametrize("fault", ["slow=3600", "trickle=1b"])
def test_a_request_ends_when_its_client_leaves(
    rehearsal: Served, video_path: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ltx23.request")
    url = rehearsal.client.base_url
    with closing(HTTPConnection(url.host, url.port)) as connection:
        connection.request("GET", f"{video_path}/content", headers=ask_for(fault))

    wait_for(lambda: fault in logged_faults(caplog))


def logged_faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the faults of the requests that have ended."""
    fields = [record.__dict__[FIELDS] for record in caplog.get_records("call") if record.name == "ltx23.request"]
    return [entry["rehearsed"] for entry in fields if "rehearsed" in entry]


@pytest.mark.parametrize("fault", ["drop=halfway", "corrupt=html", "corrupt=truncated", "trickle=1mb"])
def test_an_error_of_the_request_stays_as_it_is(rehearsing: httpx.Client, fault: str) -> None:
    response = rehearsing.post("/generate", json={}, headers=ask_for(fault))

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "prompt"]


@pytest.mark.parametrize("path", ["/generate", "/v1/videos"])
def test_a_malformed_header_is_a_400_that_names_the_part(rehearsing: httpx.Client, path: str) -> None:
    response = rehearsing.post(path, json=SMALL, headers=ask_for("status=soon"))

    assert response.status_code == 400
    expected = "X-LTX-Rehearse: status: 'soon' should be a status from 400 to 599, such as 429"
    assert response.json()["detail"] == expected


def test_the_limits_of_the_server_hold(rehearsing: httpx.Client) -> None:
    assert rehearsing.post("/generate", content=b"x" * 10_001, headers=ask_for("status=503")).status_code == 413


def test_the_first_requests_of_a_key_fail_and_the_next_ones_do_not(rehearsing: httpx.Client) -> None:
    """The clip that was rendered before the cut is the one that the repeated request gets."""
    headers = ask_for("drop=halfway; times=2") | {"Idempotency-Key": "again"}
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            rehearsing.post("/generate", json=SMALL, headers=headers)
    seeds = {rehearsing.post("/generate", json=SMALL, headers=headers).headers["x-ltx-seed"] for _ in range(2)}

    assert len(seeds) == 1


def test_a_rehearsal_asks_for_keys_has_hosted_shapes_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ltx23.request")
    settings = {"rehearsal": True, "api_keys": KEY, "errors": "hosted"}
    with serve(program_of("behaves"), tmp_path, cache_dir=tmp_path, **settings) as served:
        served.told(Ready)
        refused = served.client.post("/generate", json=SMALL, headers=ask_for("drop=connection"))
        served.client.headers["x-api-key"] = KEY
        full = served.client.post("/generate", json=SMALL, headers=ask_for("status=429; retry-after=3"))
        malformed = served.client.post("/generate", json=SMALL, headers=ask_for("status=3"))
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            served.client.post("/generate", json=SMALL, headers=ask_for("drop=halfway"))

    assert refused.status_code == 401
    assert full.json() == {"detail": "Infrastructure is at maximum capacity, try again later"}
    assert full.headers["retry-after"] == "3"
    assert malformed.json()["detail"].startswith("X-LTX-Rehearse: status: ")
    assert logged_faults(caplog) == ["status=429; retry-after=3", "drop=halfway"]


def test_a_file_decides_for_clients_without_the_header(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.toml"
    file.write_text(
        '[[rules]]\nanswer = "status=503"\nprompt = "storm"\n\n[[rules]]\nanswer = "status=429"\norder = [2]\n'
    )
    forms = {"data": {"prompt": "a storm"}}, {"data": {"prompt": "a storm"}, "files": {"file": b"x"}}
    with serve(program_of("behaves"), tmp_path, cache_dir=tmp_path, rehearsal=True, rehearsal_file=file) as served:
        served.told(Ready)
        statuses = [served.ask(prompt).status_code for prompt in ("a fox", "a fox", "a Storm", "a fox")]
        statuses += [served.client.post("/generate", **form).status_code for form in forms]
        statuses += [
            served.client.post("/generate", content=b"{").status_code,
            served.client.get("/health").status_code,
        ]

    assert statuses == [200, 429, 503, 200, 503, 503, 422, 200]


def test_a_file_that_cannot_be_used_is_an_error_of_one_line(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.toml"
    file.write_text('[[rules]]\nanswer = "status=200"\n')
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--data-dir", str(tmp_path), "--rehearsal"]
    done = subprocess.run(command, env=clean | {"LTX23_REHEARSAL_FILE": str(file)}, capture_output=True, text=True)

    assert done.returncode == 1
    named = f"ltx23: error: LTX23_REHEARSAL_FILE / --rehearsal-file: {file}: rule 1, answer: status: '200' should be"
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(named)
