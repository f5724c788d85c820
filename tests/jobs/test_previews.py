"""Previews of a job: who is told that somebody watches, and what viewers get."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.jobs.previews import Preview, PreviewFeed
from server.worker.messages import Progress, Ready
from tests.jobs.conftest import Dispatching, outcome, program_of
from tests.jobs.serving import Served, serve

FIRST, SECOND = Preview("stage_1", 1, 8, b"one"), Preview("stage_1", 2, 8, b"two")


async def test_the_listener_is_told_of_the_first_viewer_and_of_the_last_that_leaves() -> None:
    told: list[bool] = []
    feed = PreviewFeed()
    with feed.watching():
        feed.listen(told.append)
        with feed.watching():
            pass
        assert told == [True]
    assert told == [True, False]

    feed.listen(None)
    with feed.watching():
        pass
    assert told == [True, False]


async def test_a_viewer_gets_the_newest_preview_and_waits_for_the_first() -> None:
    feed = PreviewFeed()
    waiting = asyncio.create_task(feed.newest())
    await asyncio.sleep(0)
    feed.set(FIRST)
    feed.set(SECOND)

    assert await waiting is SECOND
    assert await feed.newest() is SECOND


async def test_one_who_asked_counts_as_a_viewer_for_a_while() -> None:
    told: list[bool] = []
    feed = PreviewFeed()
    feed.listen(told.append)
    feed.set(FIRST)

    await feed.newest()
    await feed.newest()

    assert told == [True]
    feed.listen(None)
    with feed.watching():
        feed.listen(told.append)
    assert told == [True, True, False]


async def test_nobody_waits_once_there_will_be_no_preview() -> None:
    feed = PreviewFeed()
    waiting = asyncio.create_task(feed.newest())
    await asyncio.sleep(0)
    feed.end()

    assert await waiting is None
    assert await feed.newest() is None


async def test_the_last_preview_stays_while_the_clip_is_decoded() -> None:
    feed = PreviewFeed()
    feed.set(FIRST)
    feed.end()

    assert await feed.newest() is FIRST


async def test_only_the_worker_that_renders_it_is_told_and_only_if_somebody_watches(dispatching: Dispatching) -> None:
    async with dispatching("notes_its_viewers", devices=("cpu", "cuda:0")) as rig:
        await rig.told(Ready)
        await rig.told(Ready)
        watched, other, waiting = (rig.submit("long", id) for id in ("watched", "other", "waiting"))
        with waiting.previews.watching():
            await rig.told(Progress)
            await rig.told(Progress)
            first = await watched.previews.newest()
            assert first is not None
            assert first.data == b"watch"
            assert other.previews.value is None
            for job in (watched, other):
                rig.dispatcher.cancel(job)
            assert await waiting.previews.newest() is not None
        rig.dispatcher.cancel(waiting)
        assert [await outcome(job) for job in (watched, other, waiting)] == ["JobCancelled"] * 3


@pytest.fixture
def served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    """Run a server whose worker sends a preview when somebody begins to watch; it must log no traceback."""
    with serve(program_of("notes_its_viewers"), tmp_path / "work", cache_dir=tmp_path) as running:
        running.told(Ready)
        yield running
    assert [record.getMessage() for record in caplog.get_records("call") if record.exc_info] == []


def create(served: Served, prompt: str) -> str:
    body = {"prompt": prompt, "width": 256, "height": 256, "num_frames": 9, "generate_audio": False}
    video_id: str = served.client.post("/v1/videos", json=body).json()["id"]
    return f"/v1/videos/{video_id}"


def test_a_preview_is_never_kept_by_a_cache_and_not_sent_twice(served: Served) -> None:
    path = create(served, "long")

    first = served.client.get(f"{path}/preview")

    assert (first.status_code, first.content) == (200, b"watch")
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["cache-control"] == "no-store"
    again = served.client.get(f"{path}/preview", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = served.client.head(f"{path}/preview")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "5", b"")
    served.client.delete(path)
    assert served.client.get(f"{path}/preview").status_code == 404


def test_events_have_previews_as_links_as_data_or_not_at_all(served: Served) -> None:
    path = create(served, "long")

    def told(query: str) -> list[str]:
        lines = []
        with served.client.stream("GET", f"{path}/events{query}") as response:
            for line in response.iter_lines():
                lines.append(line)
                if line.startswith("data: ") and ("preview" in lines[-2] or query == "?preview=off"):
                    return lines
        raise AssertionError(lines)

    assert "event: preview" not in told("?preview=off")
    link = told("")[-1]
    assert '/preview?step=stage_1-1"' in link
    assert '"data":null' in link
    assert '"data":"d2F0Y2' in told("?preview=data")[-1]
    refused = served.client.get(f"{path}/events?preview=all")
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "preview")
    served.client.delete(path)


def test_a_video_without_a_step_left_has_no_preview(served: Served) -> None:
    path = create(served, "decode")

    response = served.client.get(f"{path}/preview")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "preview_not_found")
    assert "no step of it is left" in response.json()["detail"]
    served.client.delete(path)


def test_a_viewer_who_waits_is_told_that_the_video_was_deleted(served: Served) -> None:
    running, waiting = create(served, "long"), create(served, "long")
    head = served.client.head(f"{waiting}/preview")
    assert (head.status_code, head.headers["content-type"]) == (200, "image/webp")
    with served.client.stream("GET", f"{waiting}/events?preview=off"):
        served.client.delete(waiting)

    assert served.client.get(f"{waiting}/preview").json()["error"]["code"] == "video_not_found"
    served.client.delete(running)


def test_a_render_that_fails_while_it_is_streamed_says_why(tmp_path: Path) -> None:
    body = {"width": 256, "height": 256, "num_frames": 9, "generate_audio": False, "stream": True}
    with serve(program_of("refuses"), tmp_path / "work", cache_dir=tmp_path) as served:
        served.told(Ready)
        prompts = ("fail", "invalid")
        answers = {prompt: served.client.post("/generate", json=body | {"prompt": prompt}) for prompt in prompts}
        assert served.left_files() == []

    for prompt, status in (("fail", 500), ("invalid", 422)):
        assert answers[prompt].status_code == 200
        assert "event: failed" in answers[prompt].text
        assert f'"status":{status}' in answers[prompt].text
        assert "because" in answers[prompt].text
