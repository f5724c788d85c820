"""A server in fast mode: the same clips to every reader of files, rendered small."""

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.conftest import RunCommand, Server
from tests.http.conftest import SMALL, encode, picture
from tests.waiting import wait_for

IMAGE = encode(picture(size=(300, 200)))
TONES = Path(__file__).parents[1] / "parity" / "data" / "directions" / "tones-44k1-stereo.wav"
KEYFRAMES = [{"image": IMAGE, "frame_idx": frame} for frame in (0, 7, 24)]


@pytest.fixture(scope="module")
def fast(fast_server: Server) -> Iterator[httpx.Client]:
    with fast_server.client() as client:
        yield client


# What depends on the pictures, not on the clip.
CONTENT = {"bit_rate", "max_bit_rate", "size", "filename", "probe_score"}


def describe(clip: bytes) -> dict[str, Any]:
    """Return what PyAV reads of a clip."""
    with av.open(io.BytesIO(clip)) as container:
        found: dict[str, Any] = {
            "format": container.format.name,
            "tags": container.metadata,
            "duration": container.duration,
            "start": container.start_time,
        }
        for stream in container.streams:
            codec = stream.codec_context
            found[stream.type] = {
                "codec": (codec.name, codec.profile),
                "frames": stream.frames,
                "duration": stream.duration,
                "start": stream.start_time,
                "time_base": stream.time_base,
                "tags": stream.metadata,
                "packets": [(packet.pts, packet.duration) for packet in packets(clip, stream.index)],
            }
        for video in container.streams.video:
            context = video.codec_context
            found["picture"] = (context.width, context.height, context.pix_fmt, context.has_b_frames)
            found["colour"] = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
            found["rate"] = (video.average_rate, video.guessed_rate)
        for sound in container.streams.audio:
            found["sound"] = (sound.codec_context.sample_rate, sound.codec_context.layout.name)
    return found


def packets(clip: bytes, index: int) -> list[av.Packet]:
    with av.open(io.BytesIO(clip)) as container:
        found = [packet for packet in container.demux(container.streams[index]) if packet.pts is not None]
        return sorted(found, key=lambda packet: packet.pts)


def ffprobe(clip: bytes, path: Path) -> dict[str, Any]:
    path.write_bytes(clip)
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for part in (found["format"], *found["streams"]):
        for name in CONTENT & part.keys():
            del part[name]
    return found


CASES = [
    {"generate_audio": True},
    {"width": 448, "height": 256, "num_frames": 17, "fps": 23.976, "generate_audio": True, "video_format": "webm"},
    {"width": 256, "height": 384, "num_frames": 25, "fps": 50, "generate_audio": True, "image": IMAGE},
    {"width": 320, "height": 256, "num_frames": 25, "fps": 12.5, "video_format": "webm", "keyframes": KEYFRAMES},
    {"width": 576, "height": 256, "num_frames": 25, "fps": 30, "keyframes": KEYFRAMES[::2]},
    {"audio_b64": encode(TONES.read_bytes()), "audio_start": 0.5, "generate_audio": True, "image": IMAGE},
]


@pytest.mark.parametrize("fields", CASES, ids=["small", "webm", "image", "webm keyframes", "keyframes", "sound"])
def test_readers_of_files_see_no_difference(
    fields: dict[str, Any], client: httpx.Client, fast: httpx.Client, tmp_path: Path
) -> None:
    body = SMALL | fields
    answers = [server.post("/generate", json=body) for server in (client, fast)]

    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    plain, quick = (answer.content for answer in answers)
    assert plain != quick
    assert describe(plain) == describe(quick)
    if shutil.which("ffprobe"):
        assert ffprobe(plain, tmp_path / "clip") == ffprobe(quick, tmp_path / "clip")
    plain_headers, quick_headers = (answer.headers for answer in answers)
    facts = [name for name in plain_headers if name.startswith("x-ltx")]
    assert {name: plain_headers[name] for name in facts} == {name: quick_headers[name] for name in facts}
    assert quick_headers.keys() - plain_headers.keys() == {"x-ltx-fast"}


def test_the_same_request_gives_the_same_bytes(fast: httpx.Client) -> None:
    one, other, another = (fast.post("/generate", json=SMALL | {"seed": seed}).content for seed in (1, 1, 2))

    assert one == other != another


def test_the_server_says_that_it_is_fast(fast_server: Server, fast: httpx.Client, client: httpx.Client) -> None:
    response = fast.get("/health")

    assert response.json()["fast"] is True
    assert response.headers["x-ltx-fast"] == "1"
    # The server goes on to speak once it is ready.
    wait_for(lambda: any("Clips are rendered small and stretched" in line for line in fast_server.lines))
    assert "fast" not in client.get("/health").json()
    assert "x-ltx-fast" not in client.get("/health").headers


def test_the_memory_that_a_default_clip_needs_is_that_of_the_small_one(
    fast: httpx.Client, client: httpx.Client
) -> None:
    needed = [server.get("/models").json()["data"][0]["memory"] for server in (client, fast)]

    assert needed[1]["default_clip_peak_bytes"] < needed[0]["default_clip_peak_bytes"]


def test_it_is_refused_with_real_weights(run_command: RunCommand) -> None:
    done = run_command("serve", "--fast", "--checkpoint", "some.safetensors", "--text-encoder", "absent")

    assert done.returncode == 1
    assert "LTX23_FAST / --fast renders small clips and stretches them, for tests with the tiny model" in done.stderr
    assert "LTX23_CHECKPOINT / --checkpoint" in done.stderr
