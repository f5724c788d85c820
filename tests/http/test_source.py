"""Clips that are made from another one, over HTTP: retakes, continuations, remixes, and refusals by name."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from pipelines.media.muxer import mux
from pipelines.media.source_video import inspect_source, read_frames, read_source_sound, to_rgb
from pipelines.spec import GenerationSpec
from tests.conftest import Server
from tests.http.conftest import STRICT, Clip, Refusal, encode, picture
from tests.http.videos import PATH, begin, create, delete, finish, look
from tests.media.clips import LEFT, RIGHT, write_clip

Generate = Callable[..., Clip]
Refuse = Callable[..., Refusal]

FRAMES, SHORT = 25, 9
# What SMALL sends besides, and the clip decides: no value is no value.
OWN: dict[str, Any] = {"width": None, "height": None, "num_frames": None, "generate_audio": True}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a clip of 25 frames: two halves of a colour each, and a tone."""
    return write_clip(tmp_path_factory.mktemp("source") / "clip.mp4", FRAMES).read_bytes()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return such a clip of 9 frames, which the tiny model encodes in a third of the time."""
    return write_clip(tmp_path_factory.mktemp("source") / "short.mp4", SHORT).read_bytes()


@pytest.fixture(autouse=True)
def no_videos_left(client: httpx.Client) -> Iterator[None]:
    yield
    for video in client.get(PATH, params={"limit": 100}).json()["data"]:
        delete(client, video)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("source") / "silent.mp4"
    spec = GenerationSpec("x", 0, 256, 256, SHORT, Fraction(24), generate_audio=False)
    mux(path, [np.full((SHORT, 256, 256, 3), 90, np.uint8)], spec, None)
    return path.read_bytes()


def frames_of(content: bytes, folder: Path) -> np.ndarray:
    path = folder / "clip"
    path.write_bytes(content)
    return np.stack([to_rgb(frame) for frame in read_frames(path, inspect_source(path))]).astype(int)


def sound_of(content: bytes, folder: Path) -> np.ndarray:
    path = folder / "clip"
    path.write_bytes(content)
    sound = read_source_sound(path)
    assert sound is not None
    return sound.samples


def difference(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the mean difference of each frame."""
    return np.abs(frames - others).mean(axis=(1, 2, 3))


def test_a_retake_renders_a_part_and_keeps_the_rest(generate: Generate, clip: bytes, tmp_path: Path) -> None:
    made = generate(video_b64=encode(clip), retake={"start": 0.375, "end": 0.7}, prompt="a yellow field", **OWN)

    assert made.adjustments == []
    assert (made.headers["x-ltx-frames"], made.headers["x-ltx-width"]) == (str(FRAMES), "256")
    changes = difference(frames_of(made.content, tmp_path), frames_of(clip, tmp_path))
    assert (changes[:9] < 0.5).all(), "kept, and encoded once more"
    assert (changes[17:] < 0.5).all()
    assert changes[9:17].min() > 1
    sound, original = sound_of(made.content, tmp_path), sound_of(clip, tmp_path)
    before, after = round(0.3 * 48000), round(0.75 * 48000)
    assert np.abs(sound[:, 2000:before] - original[:, 2000:before]).max() < 0.02
    assert np.abs(sound[:, after:48000] - original[:, after:48000]).max() < 0.02


def test_a_retake_of_the_sound_keeps_the_picture(generate: Generate, short: bytes, tmp_path: Path) -> None:
    retake = {"end": 0.3, "video": False}
    made = generate(video_b64=encode(short), retake=retake, prompt="a low hum", **OWN)

    assert (difference(frames_of(made.content, tmp_path), frames_of(short, tmp_path)) < 1).all()
    changed = sound_of(made.content, tmp_path)[:, 2000:12000] - sound_of(short, tmp_path)[:, 2000:12000]
    assert np.abs(changed).max() > 0.1


def test_a_retake_of_the_picture_keeps_the_sound(generate: Generate, short: bytes, tmp_path: Path) -> None:
    made = generate(video_b64=encode(short), retake={"audio": False}, prompt="a yellow field", **OWN)

    assert difference(frames_of(made.content, tmp_path), frames_of(short, tmp_path)).min() > 5
    kept = sound_of(made.content, tmp_path)[:, 2000:15000] - sound_of(short, tmp_path)[:, 2000:15000]
    assert np.abs(kept).max() < 0.02


@pytest.mark.parametrize("video_format", ["mp4", "webm"])
def test_a_continuation_follows_the_clip(video_format: str, generate: Generate, clip: bytes, tmp_path: Path) -> None:
    sent = {"video_b64": encode(clip), "continue": {"seconds": 1 / 3}, "video_format": video_format}
    made = generate(prompt="the same", **sent, **OWN)

    assert made.adjustments == []
    assert made.headers["x-ltx-frames"] == str(FRAMES + 8)
    found, original = frames_of(made.content, tmp_path), frames_of(clip, tmp_path)
    assert (difference(found[:FRAMES], original) < 3).all()
    follows = found[FRAMES].reshape(256, 2, 128, 3).mean(axis=(0, 2))
    assert np.abs(follows - [LEFT, RIGHT]).max() < 20, "the first new frame goes on from the last one"
    if video_format == "mp4":
        assert generate(prompt="the same", **sent, **OWN).content == made.content


def test_a_silent_clip_is_given_a_sound(generate: Generate, silent: bytes, tmp_path: Path) -> None:
    """All of it is new, whatever the part."""
    retake = {"start": 0.2, "video": False}
    made = generate(video_b64=encode(silent), retake=retake, prompt="a low hum", **OWN)

    assert (difference(frames_of(made.content, tmp_path), frames_of(silent, tmp_path)) < 0.5).all()
    assert np.abs(sound_of(made.content, tmp_path)[:, 2000:15000]).max() > 0.05


@pytest.mark.parametrize(
    ("num_frames", "fields", "frame", "kept"),
    [
        (FRAMES, {"retake": {"start": 0.4}, "keyframes": [{"image_b64": "IMAGE", "frame_idx": 20}]}, 20, 5),
        (17, {"retake": {"end": 0.3}, "input_image_b64": "IMAGE"}, 0, 10),
        (9, {"continue": {"seconds": 2 / 3}, "keyframes": [{"image_b64": "IMAGE", "frame_idx": -1}]}, 24, 5),
    ],
)
def test_an_image_is_shown_where_frames_are_rendered(
    num_frames: int, fields: dict[str, Any], frame: int, kept: int, generate: Generate, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", num_frames).read_bytes()
    sent = json.loads(json.dumps(fields).replace("IMAGE", encode(picture(color="blue"))))

    made = generate(video_b64=encode(clip), **OWN, **sent)

    found = frames_of(made.content, tmp_path)
    assert np.abs(found[frame] - [0, 0, 255]).mean() < 40
    assert np.abs(found[kept] - [0, 0, 255]).mean() > 60


def test_three_continuations_have_no_seam(client: httpx.Client, tmp_path: Path) -> None:
    """The picture changes at each joint as it does beside it, and the sound has no click."""
    prompt = "a blue lake at night, a low hum"
    video = create(client, prompt=prompt, num_frames=17, generate_audio=True)
    for seed in (1, 2, 3):
        assert finish(client, video)["status"] == "completed"
        sent = {"prompt": prompt, "seed": seed, "from_video": video["id"], "continue": {"seconds": 2 / 3}}
        video = client.post(PATH, json=sent).json()
    assert finish(client, video)["status"] == "completed"
    content = client.get(f"{PATH}/{video['id']}/content").content

    frames, sound = frames_of(content, tmp_path), sound_of(content, tmp_path)
    steps = difference(frames[1:], frames[:-1])
    clicks = np.abs(np.diff(sound[0]))
    for joint in (17, 33, 49):
        neighbours = np.concatenate([steps[joint - 9 : joint - 1], steps[joint : joint + 8]])
        assert steps[joint - 1] <= neighbours.max()
        at = round(joint / 24 * 48000)
        assert clicks[at - 480 : at + 480].max() <= clicks.max()
        around = np.concatenate([clicks[at - 24000 : at - 1200], clicks[at + 1200 : at + 24000]])
        assert clicks[at - 1200 : at + 1200].max() <= 1.2 * around.max()
    assert look(client, video)["num_frames"] == 65


def test_a_clip_of_another_shape_is_adjusted(generate: Generate, refuse: Refuse, tmp_path: Path) -> None:
    """A rate above the limit, and a number of frames that is not 8k + 1."""
    path = tmp_path / "odd.mp4"
    spec = replace(GenerationSpec("x", 0, 256, 256, 17, Fraction(60)), generate_audio=False)
    mux(path, [np.full((17, 256, 256, 3), 90, np.uint8)], spec, None)
    odd = encode(path.read_bytes())

    made = generate(video_b64=odd, retake={"end": 0.1}, fps=24, **OWN)

    fields = {adjustment["field"]: adjustment for adjustment in made.adjustments}
    assert (fields["video_b64"]["requested"], fields["video_b64"]["used"]) == ("60 fps", "50 fps")
    assert (fields["fps"]["requested"], fields["fps"]["used"]) == (24, 50)
    assert "retake" in fields
    assert made.headers["x-ltx-frames"] == str(len(frames_of(made.content, tmp_path))) == "14"
    refused = refuse(headers=STRICT, video_b64=odd, retake={"end": 0.1}, **OWN)
    assert refused.locs == ["body.video_b64", "body.retake"]


def test_an_unfinished_or_unknown_video_is_refused(client: httpx.Client, refuse: Refuse) -> None:
    slow = create(client, num_frames=121, width=768, height=512)
    begin(client, slow)
    unfinished = refuse(from_video=slow["id"], retake={}, **OWN)
    delete(client, slow)
    unknown = refuse(from_video=slow["id"], retake={}, **OWN)

    assert unfinished.locs == unknown.locs == ["body.from_video"]
    assert "only the clip of a completed video" in unfinished.detail[0]["msg"]
    assert "no such video" in unknown.detail[0]["msg"]


def test_a_video_of_the_server_is_made_from(client: httpx.Client, server: Server) -> None:
    """A remix has its size, seed and length."""
    first = create(client, seed=11, generate_audio=True, video_format="webm")
    finish(client, first)

    remixed = client.post(f"{PATH}/{first['id']}/remix", json={"prompt": "a wolf in the rain"}).json()
    sent = {"prompt": "a wolf", "from_video": first["id"], "retake": {}}
    retaken = client.post(PATH, json=sent).json()

    delete(client, retaken)
    assert retaken["remixed_from_video_id"] == remixed["remixed_from_video_id"] == first["id"]
    assert finish(client, remixed)["status"] == "completed"
    while (server.data_dir / "videos" / remixed["id"] / "source").exists():
        pass  # it is removed once every client has been told of the clip
    for name in ("size", "seed", "num_frames", "fps", "has_audio", "video_format"):
        assert remixed[name] == first[name], name
    assert remixed["prompt"] == "a wolf in the rain"
    assert client.post(f"{PATH}/{first['id']}/remix", json={}).json()["error"]["param"] == "prompt"
    assert client.post(f"{PATH}/video_{'0' * 32}/remix", json={"prompt": "x"}).status_code == 404
    delete(client, first)
    assert look(client, remixed)["status"] == "completed"


def test_an_extension_goes_on_with_the_prompt(client: httpx.Client) -> None:
    first = create(client, prompt="a green hill")
    finish(client, first)

    by_path, by_id = (
        client.post(f"{PATH}{path}", json=body | {"seconds": "1"}).json()
        for path, body in ((f"/{first['id']}/extensions", {}), ("/extensions", {"video": {"id": first["id"]}}))
    )

    assert (by_path["prompt"], by_path["num_frames"]) == (by_id["prompt"], by_id["num_frames"]) == ("a green hill", 33)
    delete(client, by_id)
    assert finish(client, by_path)["status"] == "completed"


def test_a_form_takes_the_clip_as_a_file(client: httpx.Client, short: bytes) -> None:
    fields = {"prompt": "a yellow field", "retake[end]": "0.2", "generate_audio": "false"}

    checked = client.post("/check", data=fields, files={"video_b64": ("clip.mp4", short, "video/mp4")})

    assert checked.status_code == 200, checked.text
    assert (checked.json()["num_frames"], checked.json()["has_audio"]) == (SHORT, False)


@pytest.mark.parametrize(
    ("fields", "loc", "message"),
    [
        ({"retake": {}}, "retake", "It needs a clip: send video_b64, or from_video"),
        ({"continue": {"seconds": 2}}, "continue", "It needs a clip"),
        ({"video_b64": "CLIP"}, "video_b64", "Send retake or continue with it"),
        ({"video_b64": "CLIP", "retake": {}, "continue": {}}, "continue", "Cannot be sent with retake"),
        ({"video_b64": "CLIP", "from_video": "video_1", "retake": {}}, "from_video", "Cannot be sent with video_b64"),
        ({"video_b64": "CLIP", "retake": {"start": 0.4}, "input_image_b64": "IMAGE"}, "input_image_b64", "be 9 .. 24:"),
        ({"video_b64": "CLIP", "continue": {}, "input_image_b64": "IMAGE"}, "input_image_b64", "be 25 .. 144:"),
        ({"video_b64": "CLIP", "retake": {"video": False}, "input_image_b64": "IMAGE"}, "input_image_b64", "is kept"),
        ({"video_b64": "CLIP", "retake": {}, "width": 512}, "width", "Should be 256, as the clip"),
        ({"video_b64": "CLIP", "continue": {}, "height": 320}, "height", "Should be 256, as the clip"),
        (
            {"video_b64": "SILENT", "retake": {"audio": False}},
            "retake.audio",
            "The clip has no sound that could be kept",
        ),
        ({"video_b64": "CLIP", "retake": {}, "audio_b64": "IMAGE"}, "audio_b64", "Cannot be sent with retake"),
        ({"video_b64": "CLIP", "retake": {"start": 2}}, "retake", "Should start before the clip ends at 1.04"),
        ({"video_b64": "CLIP", "retake": {"start": 0.5, "end": 0.5}}, "retake", "must start at 0 s or later and end"),
        ({"video_b64": "CLIP", "retake": {"start": -1}}, "retake.start", "greater than or equal to 0"),
        ({"video_b64": "CLIP", "retake": {"end": "soon"}}, "retake.end", "valid number"),
        ({"video_b64": "CLIP", "retake": {"video": False, "audio": False}}, "retake", "the video or the audio anew"),
        ({"video_b64": "CLIP", "retake": 3}, "retake", "should be an object"),
        ({"video_b64": "CLIP", "continue": {"seconds": 0}}, "continue.seconds", "greater than 0"),
        ({"video_b64": "CLIP", "continue": {"context_frames": 8}}, "continue", "must keep 8k + 1 frames, got 8"),
        ({"video_b64": "CLIP", "continue": {"context_frames": 33}}, "continue", "at most the 25 frames of the clip"),
        ({"video_b64": "IMAGE", "retake": {}}, "video_b64", "not a video of a known format"),
        ({"video_b64": "CUT", "retake": {}}, "video_b64", "it was cut short"),
        ({"video_b64": "http://example.com/a.mp4", "retake": {}}, "video_b64", "This server fetches nothing"),
        ({"video_b64": "no base64 at all!", "retake": {}}, "video_b64", "not valid base64"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(
    fields: dict[str, Any], loc: str, message: str, refuse: Refuse, server: Server, clip: bytes, silent: bytes
) -> None:
    files = {
        "CLIP": encode(clip),
        "SILENT": encode(silent),
        "IMAGE": encode(picture()),
        "CUT": encode(clip[: len(clip) * 3 // 4]),
    }
    sent = {name: files.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}

    refusal = refuse(**OWN | sent)

    assert refusal.locs == [f"body.{loc}"], refusal.detail
    assert message in refusal.detail[0]["msg"]
    assert list(server.temp_dir.rglob("source")) == []


def test_unknown_fields_of_a_retake_are_reported(client: httpx.Client, clip: bytes) -> None:
    sent = {"prompt": "x", "video_b64": encode(clip), "retake": {"end": 0.04, "strength": 0.5}}

    adjustments = client.post("/check", json=sent).json()["adjustments"]

    assert ("retake.strength", 0.5, None) in [(a["field"], a["requested"], a["used"]) for a in adjustments]


def test_the_server_says_what_it_makes_of_clips(client: httpx.Client) -> None:
    [model] = client.get("/models").json()["data"]

    assert {"retake", "continue", "remix"} <= set(model["features"])
    assert (model["limits"]["video_bytes"], model["limits"]["video_s"]) == (128 * 2**20, 120)
    schema = json.dumps(client.get("/openapi.json").json())
    assert '"continue"' in schema
    assert "continue_" not in schema
