"""`generate` and `stream`: a clip from a prompt and files, with its progress."""

import asyncio
import hashlib
import io
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from ltx23_client import LTX23, ClipFields, InputError, Keyframe, Preview, Progress
from ltx23_client.fields import MEDIA, RENAMED
from PIL import Image

from pipelines.media.probe import probe
from server.contract.wire import GenerateRequest, field_names
from tests.http.conftest import picture
from tests.python_client.conftest import SMALL, Rehearsal, async_client


def test_a_clip_has_its_bytes_and_what_it_was_made_with(client: LTX23, tmp_path: Path) -> None:
    clip = client.generate("a red fox", **SMALL | {"width": 260})

    assert clip.save(tmp_path / "fox.mp4").read_bytes() == clip.bytes
    assert probe(tmp_path / "fox.mp4").num_frames == 9
    assert clip.seed == 7
    assert clip.parameters["width"] == 256
    assert clip.parameters["generate_audio"] is False
    [adjustment] = clip.adjustments
    assert str(adjustment).startswith("width: 256 instead of 260 (")


def test_the_same_parameters_make_the_same_clip(client: LTX23) -> None:
    first = client.generate("a red fox", **SMALL)

    again = client.generate(**first.parameters)

    assert again.bytes == first.bytes


def test_a_stream_has_the_progress_the_previews_and_the_clip(client: LTX23) -> None:
    *events, clip = client.stream("a red fox", previews=True, **SMALL)

    assert not isinstance(clip, Progress | Preview)
    assert clip.bytes == client.generate("a red fox", **SMALL).bytes
    percents = [event.percent for event in events if isinstance(event, Progress)]
    assert percents == sorted(percents)
    assert {"stage_1", "stage_2", "decode"} <= {event.stage for event in events if isinstance(event, Progress)}
    assert any(event.seconds_left for event in events if isinstance(event, Progress))
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    assert Image.open(io.BytesIO(previews[-1].data)).format == "WEBP"


def test_the_async_client_makes_the_same_clip(rehearsal: Rehearsal, client: LTX23) -> None:
    async def both() -> tuple[bytes, bytes]:
        seen: list[Progress | Preview] = []
        async with async_client(rehearsal) as other:
            clip = await other.generate("a red fox", on_event=seen.append, **SMALL)
            *events, streamed = [event async for event in other.stream("a red fox", **SMALL)]
        assert seen
        assert all(isinstance(event, Progress) for event in [*seen, *events])
        assert not isinstance(streamed, Progress | Preview)
        return clip.bytes, streamed.bytes

    assert set(asyncio.run(both())) == {client.generate("a red fox", **SMALL).bytes}


def files(folder: Path) -> dict[str, Any]:
    data = picture(color="red", size=(256, 256))
    (folder / "red.png").write_bytes(data)
    return {
        "path": folder / "red.png",
        "text": str(folder / "red.png"),
        "bytes": data,
        "memoryview": memoryview(data),
        "file": io.BytesIO(data),
        "PIL": Image.open(io.BytesIO(data)),
    }


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "memoryview", "file", "PIL"])
def test_an_image_is_sent_in_any_form(kind: str, rehearsal: Rehearsal, client: LTX23, tmp_path: Path) -> None:
    video = client.videos.create("it drifts off", image=files(tmp_path)[kind], **SMALL)
    client.videos.delete(video.id)

    [request] = rehearsal.requests("POST /v1/videos")
    sent = request["content"]["json"]["input_image_b64"]
    assert sent["sha256"] == hashlib.sha256(picture(color="red", size=(256, 256))).hexdigest()
    assert video.adjustments == ()


def test_a_cropped_image_is_named_as_the_client_names_it(client: LTX23) -> None:
    wide, square = picture(size=(512, 256)), picture(size=(256, 256))
    one = client.videos.create("it drifts off", image=wide, **SMALL)
    two = client.videos.create("it drifts off", keyframes=[Keyframe(square, 0), Keyframe(wide, -1)], **SMALL)

    assert [adjustment.field for adjustment in one.adjustments] == ["image"]
    assert [adjustment.field for adjustment in two.adjustments] == ["keyframes.1.image"]


def test_keyframes_are_objects_or_dicts(client: LTX23) -> None:
    red, blue = picture(color="red", size=(256, 256)), picture(color="blue", size=(256, 256))
    frames: list[Any] = [Keyframe(red, 0), {"image": blue, "frame": -1, "strength": 0.8, "crf": 20}]

    assert client.generate("red turns to blue", keyframes=frames, **SMALL).video.status == "completed"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": "absent.png"}, "image: absent.png: No such file or directory"),
        ({"image": "https://example.com/a.png"}, "image: an address is not fetched: download it"),
        pytest.param(
            {"image": io.StringIO("text")}, "image: the file is open as text: open it in binary mode", id="text"
        ),
        ({"audio": 5}, "audio: should be a path, bytes, an open file or a picture, got int"),
        ({"keyframes": [{"picture": b""}]}, "keyframes.0: should have image and frame"),
        ({"keyframes": [Keyframe("absent.png", 0)]}, "keyframes.0.image: absent.png: No such file"),
        ({"heigth": 256}, "heigth: is not a field of a clip: did you mean height?"),
        ({"size": 256}, "size: is not a field of a clip; pass a field that this client does not know in extra"),
        ({"seed": {1}}, "seed: cannot be sent as JSON: Object of type set"),
        ({"fps": float("nan")}, "fps: cannot be sent as JSON"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_named(
    fields: dict[str, Any], message: str, rehearsal: Rehearsal, client: LTX23
) -> None:
    with pytest.raises(InputError) as raised:
        client.generate("a red fox", **fields)

    assert str(raised.value).startswith(message)
    assert rehearsal.requests("POST /v1/videos") == []


def test_a_clip_is_saved_whole_or_not_at_all(client: LTX23, tmp_path: Path) -> None:
    clip = client.generate("a red fox", **SMALL)
    (tmp_path / "folder.mp4").mkdir()

    with pytest.raises(OSError, match="folder"):
        clip.save(tmp_path / "folder.mp4")
    with pytest.raises(FileNotFoundError):
        clip.save(tmp_path / "absent" / "clip.mp4")

    assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]


def test_the_client_knows_every_field_of_a_request() -> None:
    """Except those that say how POST /generate answers, and those without effect."""
    ours = {MEDIA.get(name, RENAMED.get(name, name)) for name in get_type_hints(ClipFields)}
    without = {"prompt", "frames", "use_random_seed", "guidance_scale", "num_inference_steps", "return_json", "stream"}

    assert field_names(GenerateRequest) - without <= ours
