"""A recording of a real server is replayed byte for byte, to a real client."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from openai import OpenAI

from server.recordings.folder import read_exchanges
from tests.conftest import Server
from tests.http.conftest import SMALL, encode, picture
from tests.recordings.conftest import recording, replaying

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

SECRET = "sk-of-a-client"
KEYS = {"Authorization": f"Bearer {SECRET}", "X-API-Key": SECRET, "Cookie": f"session={SECRET}"}

Seen = tuple[int, list[tuple[bytes, bytes]], bytes]


def converse(client: httpx.Client) -> Iterator[Seen]:
    """Talk to an endpoint of this contract; yield each answer."""
    image = encode(picture())
    yield seen(client.get("/health", headers=KEYS))
    yield seen(client.head("/health"))
    yield seen(client.post("/generate", json=SMALL | {"input_image_b64": image}, headers=KEYS))
    yield seen(client.post("/generate", json=SMALL | {"return_json": True}))
    yield seen(client.post("/generate", json={"prompt": ""}))
    yield seen(client.post("/generate", content=b"{", headers={"Prefer": "handling=strict"}))
    created = client.post("/v1/videos", data=SMALL | {"generate_audio": "false"}, files={"input_reference": picture()})
    yield seen(created)
    path = f"/v1/videos/{created.json()['id']}"
    yield seen(client.get(f"{path}/events"))
    yield seen(client.get(path))
    yield seen(client.get(f"{path}/content", params={"expires": "9", "signature": SECRET}))
    yield seen(client.get(f"{path}/content", headers={"Range": "bytes=0-99"}))
    yield seen(client.delete(path))
    yield seen(client.get(path))


def seen(response: httpx.Response) -> Seen:
    return response.status_code, response.headers.raw, response.content


@pytest.fixture(scope="module")
def recorded(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Seen]]:
    folder = tmp_path_factory.mktemp("recorded") / "tape"
    with recording(folder, server.url) as recorder, recorder.client() as client:
        return folder, list(converse(client))


def test_every_answer_is_replayed_byte_for_byte(recorded: tuple[Path, list[Seen]]) -> None:
    folder, answers = recorded
    with replaying(folder) as replay, replay.client() as client:
        replayed = list(converse(client))

    assert [status for status, _, _ in answers] == [200, 200, 200, 200, 422, 422, 200, 200, 200, 200, 206, 200, 404]
    assert replayed == answers


def test_the_recorder_passes_on_what_the_server_answers(recorded: tuple[Path, list[Seen]], server: Server) -> None:
    _, answers = recorded
    with server.client() as client:
        body = SMALL | {"input_image_b64": encode(picture())}
        direct = client.post("/generate", json=body)

    status, headers, clip = answers[2]
    changing = {b"date", b"x-request-id", b"server-timing"}
    assert (status, clip) == (direct.status_code, direct.content)
    assert [each for each in headers if each[0] not in changing] == [
        each for each in direct.headers.raw if each[0] not in changing
    ]


def test_no_key_is_written(recorded: tuple[Path, list[Seen]]) -> None:
    folder, _ = recorded
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert len(files) > 10
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert dict(read_exchanges(folder)[0].request.headers)["authorization"] == "removed"


def test_equal_requests_may_be_written_differently(recorded: tuple[Path, list[Seen]]) -> None:
    folder, answers = recorded
    fields = dict(reversed(SMALL.items())) | {"input_image_b64": f"data:image/png;base64,\n{encode(picture())}"}
    with replaying(folder) as replay, replay.client() as client:
        response = client.post("/generate/", content=json.dumps(fields, indent=4), headers={"User-Agent": "another"})

    assert seen(response) == answers[2]


def test_a_request_that_is_not_recorded_is_told_what_differs(recorded: tuple[Path, list[Seen]]) -> None:
    folder, _ = recorded
    other = {"prompt": "a blue fox", "input_image_b64": encode(picture(color="blue")), "seed": "7"}
    with replaying(folder) as replay, replay.client() as client:
        miss = client.post("/generate", json=SMALL | other)
        unknown = client.put("/nowhere")

    assert (miss.status_code, miss.headers["x-ltx-replay"]) == (404, "miss")
    assert miss.json()["detail"].startswith(
        'This POST /generate is not recorded. The nearest recording is number 3: prompt is "a blue fox", recorded '
        '"a red fox"; seed is "7", recorded 7; input_image_b64 is the file '
    )
    assert unknown.status_code == 404
    assert unknown.json()["detail"].startswith("PUT /nowhere is not recorded. These are: DELETE /v1/videos/")


def test_what_is_not_recorded_can_be_forwarded(recorded: tuple[Path, list[Seen]], server: Server) -> None:
    folder, answers = recorded
    lines = (folder / "exchanges.jsonl").read_bytes()
    with replaying(folder, "--on-miss", "forward", "--upstream", server.url) as replay, replay.client() as client:
        new = client.post("/generate", json=SMALL | {"seed": 8})
        known = client.post("/generate", json=SMALL | {"return_json": True})

    assert new.headers["x-ltx-seed"] == "8"
    assert seen(known) == answers[3]
    assert (folder / "exchanges.jsonl").read_bytes() == lines


def test_openais_client_polls_and_downloads_a_recorded_video(server: Server, tmp_path: Path) -> None:
    """Polls of a video are equal requests, whose answers differ; they are replayed in their order."""
    fields: dict[str, Any] = {"num_frames": 9, "generate_audio": False, "seed": 7}

    def make_video(url: str, poll_interval_ms: int) -> tuple[str, str, bytes]:
        with httpx2.Client(trust_env=False) as http:
            openai = OpenAI(base_url=f"{url}/v1", api_key=SECRET, http_client=http)
            size: Any = "256x256"
            made = openai.videos.create(prompt="a red fox", size=size, extra_body=fields)
            done = openai.videos.poll(made.id, poll_interval_ms=poll_interval_ms)
            return made.model_dump_json(), done.model_dump_json(), openai.videos.download_content(made.id).read()

    with recording(tmp_path, server.url) as recorder:
        live = make_video(recorder.url, 50)
    with replaying(tmp_path) as replay:
        replayed = make_video(replay.url, 1)

    assert json.loads(live[1])["status"] == "completed"
    assert replayed == live


@pytest.mark.parametrize("command", ["record", "replay"])
def test_a_page_of_another_origin_is_refused(command: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "exchanges.jsonl").touch()
    run: Callable[..., Any] = recording if command == "record" else replaying
    with run(tmp_path, *([server.url] if command == "record" else [])) as running, running.client() as client:
        assert client.post("/generate", json=SMALL, headers={"Origin": "https://evil.example"}).status_code == 403
