"""Several videos of one request, with consecutive seeds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server
from tests.http.conftest import SMALL, Clip, encode, picture
from tests.http.videos import PATH, create, delete, finish, look

Generate = Callable[..., Clip]
MAX_SEED = 2**64 - 1


def test_each_video_is_the_clip_of_its_seed(client: httpx.Client, generate: Generate) -> None:
    image = encode(picture())
    first = create(client, n=3, input_image_b64=image)
    videos = [look(client, {"id": video_id}) for video_id in first["batch"]]

    assert first["batch"][0] == first["id"]
    assert [video["seed"] for video in videos] == [7, 8, 9]
    assert [video["adjustments"] for video in videos] == [[]] * 3
    for video in videos:
        assert finish(client, video)["status"] == "completed"
        assert "batch" not in look(client, video)
        content = client.get(f"{PATH}/{video['id']}/content").content
        assert content == generate(seed=video["seed"], input_image_b64=image).content
        delete(client, video)


def test_one_video_is_answered_as_without_n(client: httpx.Client) -> None:
    one, plain = create(client, n=1), create(client)

    assert one.keys() == plain.keys()
    assert one["adjustments"] == []
    for video in (one, plain):
        delete(client, video)


def test_the_same_request_with_a_key_finds_the_same_videos(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "three-at-once"}
    first, again = (create(client, headers, n=3) for _ in range(2))

    assert len(set(first["batch"])) == 3
    assert again["batch"] == first["batch"]
    for video_id in first["batch"]:
        delete(client, {"id": video_id})


@pytest.mark.parametrize("n", [0, 11, -1, 1.5, "many", True, [2]])
def test_a_wrong_number_is_refused_by_name(client: httpx.Client, n: Any) -> None:
    before = client.get(PATH).json()["first_id"]
    response = client.post(PATH, json=SMALL | {"n": n})

    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", "n"]]
    assert client.get(PATH).json()["first_id"] == before


def test_seeds_that_are_too_large_are_refused_before_anything_is_created(client: httpx.Client) -> None:
    before = client.get(PATH).json()["first_id"]
    response = client.post(PATH, json=SMALL | {"n": 2, "seed": MAX_SEED})

    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", "n"]]
    assert client.get(PATH).json()["first_id"] == before


def test_where_the_queue_has_no_room_for_all_none_is_created(guarded: Any) -> None:
    with guarded.client() as client:
        client.headers["Authorization"] = "Bearer sk-of-the-environment"
        response = client.post(PATH, json=SMALL | {"n": 4})

        assert response.status_code == 429
        assert client.get(PATH).json()["data"] == []


def test_other_routes_ignore_and_report_it(generate: Generate) -> None:
    assert generate(n=2).changes == [("n", 2, None)]


def test_the_example_of_the_docs_makes_three_clips(server: Server, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text().partition("## Several of one request")[2]
    code = page.partition("```python\n")[2].partition("```")[0].replace("http://127.0.0.1:8000", server.url)

    done = subprocess.run([sys.executable, "-"], input=code, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"clip-{number}.mp4" for number in range(3)]
