"""Metadata in the file of a clip over HTTP: present if asked for, and without a change otherwise."""

import json
from collections.abc import Callable

import httpx

from tests.http.conftest import STRICT, Clip, Refusal
from tests.http.videos import create, delete, finish

Generate = Callable[..., Clip]


def test_the_file_has_the_request_if_asked_to(generate: Generate) -> None:
    clip = generate(prompt="a fox says hello", negative_prompt="rain", embed_metadata=True, headers=STRICT)

    with clip.open() as container:
        facts = json.loads(container.metadata["comment"])
    assert (facts["prompt"], facts["negative_prompt"], facts["seed"]) == ("a fox says hello", "rain", 7)
    assert clip.adjustments == []
    assert generate(prompt="a fox says hello", negative_prompt="rain", embed_metadata=True).content == clip.content


def test_without_it_the_file_says_nothing(generate: Generate) -> None:
    plain = generate()

    assert generate(embed_metadata=False).content == plain.content
    with plain.open() as container:
        assert "comment" not in container.metadata


def test_a_stored_video_has_it_too(client: httpx.Client, generate: Generate) -> None:
    video = create(client, embed_metadata="true")
    finish(client, video)

    assert client.get(f"/v1/videos/{video['id']}/content").content == generate(embed_metadata=True).content
    delete(client, video)


def test_a_wrong_value_is_refused_by_name(refuse: Callable[..., Refusal]) -> None:
    assert refuse(embed_metadata="perhaps").locs == ["body.embed_metadata"]
