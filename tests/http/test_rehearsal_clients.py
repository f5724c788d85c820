"""Real clients in a rehearsal: OpenAI's client, a shell script with curl, httpx. Each test is one bad day."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from openai import APIConnectionError, InternalServerError, OpenAI

from server.worker.messages import Ready
from tests.conftest import Server, run_server
from tests.http.conftest import SMALL
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from weights.tiny import TinyFiles

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

# Takes a fault and options of curl.
Fetch = Callable[..., tuple[int, bytes]]

SCRIPT = Path(__file__).parent / "fetch_clip.sh"
SIZE: Any = "256x256"
FIELDS: dict[str, Any] = {"num_frames": 9, "generate_audio": False, "seed": 7}


def ask_for(fault: str) -> dict[str, str]:
    return {"X-LTX-Rehearse": fault}


@pytest.fixture(scope="module")
def rehearsal(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(cache_dir, tmp_path_factory.mktemp("rehearsal"), "--rehearsal") as server:
        yield server


@pytest.fixture(scope="module")
def client(rehearsal: Server) -> Iterator[httpx.Client]:
    with rehearsal.client() as client:
        yield client


@pytest.fixture(scope="module")
def clip(client: httpx.Client) -> bytes:
    """Return the clip that every test asks for, as a good day has it."""
    return client.post("/generate", json=SMALL).content


@pytest.fixture
def openai(rehearsal: Server) -> Iterator[OpenAI]:
    with httpx2.Client(trust_env=False) as http:
        yield OpenAI(base_url=f"{rehearsal.url}/v1", api_key="none is needed", http_client=http, max_retries=3)


def create(openai: OpenAI, fault: str) -> int:
    """Create a video; return how often the client had to try again."""
    answer = openai.videos.with_raw_response.create(
        prompt="a red fox", size=SIZE, extra_body=FIELDS, extra_headers=ask_for(fault)
    )
    assert answer.parse().object == "video"
    assert answer.headers["x-ltx-rehearsal"] == "real"
    return answer.retries_taken


def test_openais_client_tries_again_while_the_queue_is_full(openai: OpenAI) -> None:
    assert create(openai, "scenario=queue-full; retry-after=1; times=2; key=openai-queue") == 2


def test_openais_client_waits_for_a_cold_start(openai: OpenAI) -> None:
    """Its first pause is longer than this cold start."""
    assert create(openai, "scenario=cold-start; retry-after=1; for=0.1; key=openai-cold") == 1


def test_openais_client_connects_again_after_a_dropped_connection(openai: OpenAI) -> None:
    assert create(openai, "drop=connection; times=1; key=openai-drop") == 1


def test_openais_client_gives_up_when_workers_keep_dying(openai: OpenAI) -> None:
    with pytest.raises(InternalServerError, match="the worker process ended"):
        openai.with_options(max_retries=1).videos.create(
            prompt="a red fox", extra_headers=ask_for("scenario=worker-death; slow=0.01")
        )


def test_openais_client_downloads_again_after_a_cut_body(openai: OpenAI, clip: bytes) -> None:
    video = openai.videos.create_and_poll(prompt="a red fox", size=SIZE, extra_body=FIELDS, poll_interval_ms=50)
    cut = ask_for("scenario=body-cut; times=1; key=openai-cut")
    with pytest.raises(APIConnectionError):
        openai.with_options(max_retries=0).videos.download_content(video.id, extra_headers=ask_for("drop=halfway"))

    assert openai.videos.download_content(video.id, extra_headers=cut).read() == clip


@pytest.fixture
def fetch(rehearsal: Server, tmp_path: Path) -> Fetch:
    """Return a function that fetches a clip with the script, and returns its exit code and the file's bytes."""
    if shutil.which("curl") is None and "CI" not in os.environ:
        pytest.skip("curl is not here; apt-get install curl")

    def fetch(fault: str, *options: str) -> tuple[int, bytes]:
        file = tmp_path / "clip.mp4"
        request = ["--header", f"X-LTX-Rehearse: {fault}", "--data", json.dumps(SMALL), "--noproxy", "*"]
        done = subprocess.run([str(SCRIPT), f"{rehearsal.url}/generate", str(file), *request, *options])
        return done.returncode, file.read_bytes()

    return fetch


def test_a_script_tries_again_while_the_queue_is_full(fetch: Fetch, clip: bytes) -> None:
    assert fetch("scenario=queue-full; retry-after=1; times=2; key=curl-queue") == (0, clip)


def test_a_script_has_half_a_clip_unless_it_retries_all_errors(fetch: Fetch, clip: bytes) -> None:
    """Curl does not count a cut body among the errors that pass (18: a partial file)."""
    assert fetch("scenario=body-cut; times=1; key=curl-cut") == (18, clip[: len(clip) // 2])
    assert fetch("scenario=body-cut; times=1; key=curl-cut-all", "--retry-all-errors") == (0, clip)


def test_a_script_takes_a_page_for_a_clip_unless_it_looks_at_its_type(fetch: Fetch, clip: bytes) -> None:
    code, page = fetch("corrupt=html")

    assert code == 0
    assert page.startswith(b"<!DOCTYPE html>")


def test_httpx_gets_no_answer_when_the_edge_cuts_a_slow_render(client: httpx.Client) -> None:
    """A client whose own timeout is shorter than the edge's leaves first."""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post("/generate", json=SMALL, headers=ask_for("scenario=edge-timeout; slow=0.01"))
    patience = httpx.Timeout(60, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/generate", json=SMALL, headers=ask_for("scenario=edge-timeout"), timeout=patience)


def test_httpx_reads_a_slow_clip_whole_and_an_empty_one_as_a_success(client: httpx.Client, clip: bytes) -> None:
    assert client.post("/generate", json=SMALL, headers=ask_for("trickle=1mb")).content == clip
    empty = client.post("/generate", json=SMALL, headers=ask_for("corrupt=empty"))
    assert (empty.status_code, empty.headers["content-type"], empty.content) == (200, "video/mp4", b"")


def test_a_client_without_headers_meets_the_same_failures_in_every_run(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.toml"
    file.write_text('seed = 5\n\n[[rules]]\nanswer = "status=503"\nshare = 0.5\n')

    def run() -> list[int]:
        options = {"cache_dir": tmp_path, "rehearsal": True, "rehearsal_file": file}
        with serve(program_of("behaves"), tmp_path, **options) as served:
            served.told(Ready)
            return [served.ask("a red fox").status_code for _ in range(20)]

    first = run()
    assert first == run()
    assert set(first) == {503, 200}
