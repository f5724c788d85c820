"""Several API keys on one server: each has its own videos, and none can fill the queue."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, run_server
from tests.http.conftest import SMALL
from tests.http.videos import PATH, SLOW, begin, create, delete, events, finish
from weights.tiny import TinyFiles


@pytest.fixture(scope="module")
def shared(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {"LTX23_API_KEYS": "sk-a,sk-b", "LTX23_QUEUE_SIZE": "4"}
    with run_server(cache_dir, tmp_path_factory.mktemp("shared"), **env) as running:
        yield running


@pytest.fixture
def a(shared: Server) -> Iterator[httpx.Client]:
    with shared.client(headers={"Authorization": "Bearer sk-a"}) as client:
        yield client


@pytest.fixture
def b(shared: Server) -> Iterator[httpx.Client]:
    with shared.client(headers={"x-api-key": "sk-b"}) as client:
        yield client


def test_a_key_cannot_see_the_videos_of_another(a: httpx.Client, b: httpx.Client) -> None:
    named = {"Idempotency-Key": "the-same"}
    video = finish(a, create(a, named))

    for path in (video["id"], f"{video['id']}/content", f"{video['id']}/events"):
        assert b.get(f"{PATH}/{path}").status_code == 404
    assert b.delete(f"{PATH}/{video['id']}").status_code == 404
    assert b.get(f"{PATH}/{video['id']}/preview").status_code == 404
    assert b.post(f"{PATH}/{video['id']}/remix", json={"prompt": "x"}).status_code == 404
    refused = b.post(PATH, json={"prompt": "x", "from_video": video["id"], "retake": {}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "from_video")
    assert b.get(PATH).json()["data"] == []
    other = create(b, named)
    assert other["id"] != video["id"]
    delete(b, other)
    delete(a, video)


def test_a_page_can_load_a_video_by_its_links(shared: Server, a: httpx.Client) -> None:
    """A <video> element and an EventSource cannot send a key."""
    created = create(a)
    with shared.client() as page:
        done = list(events(page, created, url=created["events_url"]))[-1][1]
        clip = page.get(done["url"], headers={"Range": "bytes=0-99"})
        head = page.head(done["url"])
        others = [page.get(done["url"].replace("/content", path)).status_code for path in ("", "/events")]
        deleted = page.delete(done["url"].replace("/content", "")).status_code

    assert created["url"] is None
    assert done["url"].startswith(f"{shared.url}{PATH}/{created['id']}/content?expires=")
    assert (clip.status_code, clip.headers["content-type"], head.status_code) == (206, "video/mp4", 200)
    assert (others, deleted) == ([401, 401], 401)
    # A link obtained through another link expires with it.
    assert _expires(done["url"]) == _expires(done["events_url"]) == _expires(created["events_url"])
    assert _expires(a.get(f"{PATH}/{created['id']}").json()["url"]) >= _expires(done["url"])
    assert "signature" not in "".join(shared.lines)
    delete(a, created)


def _expires(url: str) -> int:
    return int(httpx.URL(url).params["expires"])


@pytest.mark.parametrize("path", ["", "/video_0", "/video_0/content", "/video_0/events"])
def test_videos_cannot_be_seen_without_a_key(shared: Server, path: str) -> None:
    with shared.client() as stranger:
        response = stranger.get(PATH + path)

    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_one_key_gets_half_of_the_queue_and_takes_turns(a: httpx.Client, b: httpx.Client) -> None:
    running = create(a, **SLOW)
    begin(a, running)
    mine = [create(a), create(a)]
    refused = a.post(PATH, json=SMALL)
    also_refused = a.post("/generate", json=SMALL)
    theirs = create(b)

    assert refused.status_code == also_refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["code"] == "queue_full"
    assert also_refused.json()["error"] == "RateLimitExceeded"
    assert "this API key has 3 jobs here" in refused.json()["detail"]

    waiting = [(a, mine[0]), (b, theirs), (a, mine[1])]
    assert [next(events(client, video))[1]["position"] for client, video in waiting] == [1, 2, 3]
    delete(a, running)
    for client, video in waiting:
        assert finish(client, video)["status"] == "completed"
        delete(client, video)
