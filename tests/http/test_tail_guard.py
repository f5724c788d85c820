"""Clips with eight frames beyond their end, over HTTP: their length, their last keyframe, and how answers tell."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.http.conftest import STRICT, Clip, encode, picture
from tests.http.videos import create, delete, finish

Generate = Callable[..., Clip]

KEYFRAMES = [
    {"image_b64": encode(picture(color="red")), "frame_idx": 0},
    {"image_b64": encode(picture(color="blue")), "frame_idx": -1},
]
NOTE = "25 frames are rendered, and the last 8 are cut off"


def frames(content: Clip) -> np.ndarray:
    with content.open() as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_a_guarded_clip_is_as_long_as_asked_and_ends_with_its_keyframe(generate: Generate) -> None:
    fields: dict[str, Any] = {"num_frames": 17, "keyframes": KEYFRAMES, "generate_audio": True}
    plain = generate(**fields)

    clip = generate(**fields, tail_guard="auto", headers=STRICT)

    assert clip.headers["x-ltx-frames"] == "17"
    assert [(a["field"], a["requested"], a["used"], a["reason"]) for a in clip.adjustments] == [
        ("tail_guard", "auto", "on", NOTE)
    ]
    shown = frames(clip)
    assert len(shown) == len(frames(plain)) == 17
    assert shown[-1, ..., 2].mean() > shown[-1, ..., 0].mean() + 50
    assert clip.content != plain.content
    assert generate(**fields, tail_guard="on").content == clip.content
    assert generate(**fields, tail_guard="off").content == plain.content


def test_a_stored_video_tells_that_it_is_guarded_and_counts_what_is_asked_for(client: httpx.Client) -> None:
    video = create(client, num_frames=17, tail_guard="on")
    finished = finish(client, video)

    assert (finished["num_frames"], finished["duration"]) == (17, 0.708333)
    assert [a["reason"] for a in finished["adjustments"]] == [NOTE]
    delete(client, video)
