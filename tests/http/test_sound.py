"""Clips of a given sound over HTTP: the ways to send it, its clip, and refusals that name the field."""

import http.client
import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import pytest

from pipelines.media.sound import read_track
from tests.conftest import Server
from tests.http.conftest import SMALL, Clip, Refusal, encode, picture
from tests.http.test_image_checks import SLOW
from tests.http.videos import create, delete, finish, ids, look
from tests.media.sounds import tone, write_sound, write_wav
from tests.media.test_sound import FORMATS, write_video

Generate = Callable[..., Clip]
Refuse = Callable[..., Refusal]


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_wav(tmp_path_factory.mktemp("sound") / "sound.wav", tone(0.7, 44_100), 44_100).read_bytes()


def track(content: bytes) -> tuple[np.ndarray, int]:
    with av.open(io.BytesIO(content)) as container:
        found = read_track(container, container.streams.audio[0], Fraction(0))
    return found.samples, found.sample_rate


def assert_is_tone(content: bytes, start_s: float = 0.0) -> None:
    """Check that the track is the fixture's tone from `start_s` on."""
    found, rate = track(content)
    expected = tone(0.7, rate)[:, round(start_s * rate) :]
    inner = slice(2_000, min(expected.shape[1], found.shape[1]) - 2_000)
    assert np.abs(found[:, inner] - expected[:, inner]).max() < 0.1


def test_the_clip_has_the_sound_that_was_sent_and_its_length(generate: Generate, wav: bytes) -> None:
    clip = generate(audio_b64=encode(wav), generate_audio=True, num_frames=None)

    assert clip.headers["x-ltx-frames"] == "17"
    assert clip.adjustments == []
    assert_is_tone(clip.content)
    assert track(clip.content)[1] == 44_100


def test_a_webm_has_the_sound_from_its_start_on(generate: Generate, wav: bytes) -> None:
    clip = generate(audio_b64=encode(wav), audio_start=0.25, generate_audio=True, video_format="webm")

    assert_is_tone(clip.content, 0.25)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_taken(name: str, generate: Generate, tmp_path: Path) -> None:
    codec, container, sample_format = FORMATS[name]
    samples = tone(0.7)
    stored = np.round(samples * 32768).astype(np.int16) if sample_format == "s16" else samples
    path = write_sound(tmp_path / "sound", stored, 48_000, codec, container, sample_format)

    clip = generate(audio_b64=f"data:audio/x;base64,{encode(path.read_bytes())}", generate_audio=True)

    assert_is_tone(clip.content)


def test_with_an_image_and_without_sound_in_the_file(generate: Generate, wav: bytes) -> None:
    clip = generate(audio_b64=encode(wav), input_image_b64=encode(picture()))

    with clip.open() as container:
        assert not container.streams.audio
        assert container.streams.video


def test_it_goes_with_other_directions(generate: Generate, wav: bytes) -> None:
    """The 8 frames of the tail guard need sound, too; it is cut off with them."""
    keyframes = [{"image_b64": encode(picture(color=color)), "frame_idx": i} for color, i in (("red", 0), ("blue", -1))]

    clip = generate(
        audio_b64=encode(wav), audio_start=0.1, generate_audio=True, num_frames=None, keyframes=keyframes,
        negative_prompt="snow", nag_scale=4, tail_guard="auto", video_format="webm",
    )  # fmt: skip

    assert clip.headers["x-ltx-frames"] == "17"
    assert [field for field, _, _ in clip.changes] == ["tail_guard"]
    assert_is_tone(clip.content, 0.1)
    with clip.open() as container:
        assert container.streams.audio[0].codec_context.sample_rate == 48_000


def test_the_same_request_gives_the_same_bytes_and_another_sound_another_clip(generate: Generate, wav: bytes) -> None:
    clips = [generate(audio_b64=encode(wav), generate_audio=True).content for _ in range(2)]

    assert clips[0] == clips[1] != generate(generate_audio=True).content


@pytest.mark.parametrize("path", ["/generate", "/v1/videos/sync"])
def test_a_form_takes_the_sound_as_a_file(path: str, client: httpx.Client, wav: bytes) -> None:
    fields = {key: str(value) for key, value in SMALL.items()} | {"generate_audio": "true"}
    file = {"audio_b64": ("sound.wav", wav, "audio/wav")}

    response = client.post(path, data=fields, files=file)

    assert response.status_code == 200, response.text
    assert_is_tone(response.content)


def test_a_video_of_a_sound_is_stored_and_its_sound_removed(server: Server, client: httpx.Client, wav: bytes) -> None:
    video = create(client, audio_reference={"audio_url": encode(wav)}, generate_audio=True)
    folder = server.data_dir / "videos" / video["id"]

    assert finish(client, video)["status"] == "completed"

    while (folder / "sound").exists():
        pass  # it is removed once every client has been told of the clip
    assert look(client, video)["status"] == "completed"
    assert_is_tone(client.get(f"/v1/videos/{video['id']}/content").content)
    delete(client, video)


def test_what_is_no_sound_is_refused(refuse: Refuse, wav: bytes, tmp_path: Path) -> None:
    nan = tone(0.5)
    nan[0, 100] = np.nan
    broken = {
        "an image": (picture(), "it is a PNG image: send a WAV, MP3, M4A, Ogg or FLAC file"),
        "a video": (write_video(tmp_path / "clip.mp4", "libx264", "mp4").read_bytes(), "it is a video"),
        "cut short": (wav[: len(wav) // 2], "it was cut short"),
        "no numbers": (
            write_sound(tmp_path / "nan.wav", nan, 48_000, "pcm_f32le", "wav", "flt").read_bytes(),
            "no finite numbers",
        ),
        "too long": (
            write_wav(tmp_path / "long.wav", np.zeros((1, 8_000 * 601), np.float32), 8_000).read_bytes(),
            "longer than 600 s",
        ),
        "text": (b"a sound, honestly", "not a sound of a known format"),
    }
    for data, message in broken.values():
        refusal = refuse(audio_b64=encode(data))
        assert refusal.locs == ["body.audio_b64"]
        assert message in refusal.detail[0]["msg"]


def test_a_start_beyond_the_end_is_refused(refuse: Refuse, wav: bytes) -> None:
    refusal = refuse(audio_b64=encode(wav), audio_start=0.7)

    assert refusal.locs == ["body.audio_start"]
    assert "the sound, which is 0.700 s long" in refusal.detail[0]["msg"]


@pytest.mark.parametrize("path", ["/generate", "/v1/videos"])
def test_a_client_that_leaves_before_its_sound_is_measured_leaves_no_files(
    path: str, server: Server, client: httpx.Client, wav: bytes
) -> None:
    """The process that decodes is busy with an image, for seconds."""
    before = ids(client)
    url = urlsplit(server.url)
    busy, leaving = (http.client.HTTPConnection(url.netloc, timeout=120) for _ in range(2))
    busy.request("POST", "/enhance", json.dumps({"prompt": "a fox", "input_image_b64": SLOW}))
    while not list(server.temp_dir.rglob("image-*")):
        pass
    leaving.request("POST", path, json.dumps(SMALL | {"audio_b64": encode(wav)}))
    while not (sounds := list(server.temp_dir.rglob("sound"))):
        pass
    leaving.close()

    while sounds[0].parent.exists():
        pass
    busy.close()
    assert ids(client) == before


def test_a_refused_sound_leaves_no_files(refuse: Refuse, server: Server) -> None:
    refuse(audio_b64=encode(b"no sound"))

    assert list(server.temp_dir.rglob("sound")) == []


def test_the_server_says_that_it_takes_sounds(client: httpx.Client) -> None:
    [model] = client.get("/models").json()["data"]

    assert "audio" in model["features"]
    assert (model["limits"]["sound_bytes"], model["limits"]["sound_s"]) == (32 * 2**20, 600)
