"""A sound that drives a clip: how it is sent, and how long the clip becomes."""

import base64
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipelines.direction import Sound
from pipelines.media.sound_limits import MAX_FILE_BYTES
from server.contract.errors import RequestInvalid
from server.contract.resolve import ResolvedRequest, resolve_request, to_spec
from server.contract.sound import find_sound

SOUND = base64.b64encode(b"RIFF").decode()


@pytest.fixture
def resolve_with_sound() -> Callable[..., ResolvedRequest]:
    """Return a function that resolves a request with a sound of so many seconds."""

    def resolve(seconds: float | Fraction, strict: bool = False, **fields: Any) -> ResolvedRequest:
        body = {"prompt": "a fox", "audio_b64": SOUND} | fields
        return resolve_request(body, strict=strict, sound_s=Fraction(seconds))

    return resolve


@pytest.mark.parametrize(
    ("seconds", "sent", "num_frames"),
    [
        (1, {}, 25),
        (Fraction(1, 100), {}, 9),
        (Fraction(49, 10), {}, 121),
        (20, {}, 481),
        (600, {}, 481),
        (600, {"width": 3840, "height": 2160}, 121),
        (4, {"fps": 50}, 201),
        (4, {"audio_start": 1.5}, 57),
        (4, {"duration": 1}, 25),
        (4, {"duration": 0}, 97),
        (4, {"num_frames": 9}, 9),
        (1, {"num_frames": 121}, 121),
        (1, {"duration": 5}, 121),
    ],
)
def test_the_clip_is_as_long_as_its_sound_if_nothing_else_says_it(
    resolve_with_sound: Callable[..., ResolvedRequest], seconds: Fraction, sent: dict[str, Any], num_frames: int
) -> None:
    assert resolve_with_sound(seconds, **sent).spec.num_frames == num_frames


def test_what_was_sent_and_used_is_no_adjustment(resolve_with_sound: Callable[..., ResolvedRequest]) -> None:
    for fields in ({}, {"num_frames": 9}, {"duration": 5}, {"audio_start": 0.5}):
        assert resolve_with_sound(Fraction(7, 3), strict=True, **fields).adjustments == ()


def test_a_sound_beyond_the_longest_clip_is_reported(resolve_with_sound: Callable[..., ResolvedRequest]) -> None:
    [adjustment] = resolve_with_sound(30, audio_start=2).adjustments

    assert (adjustment.field, adjustment.requested, adjustment.used) == ("audio_b64", "28.000 s", "20.042 s")
    assert adjustment.reason == "at most 20 s at 768x512: 481 frames at 24 fps"
    with pytest.raises(RequestInvalid) as refusal:
        resolve_with_sound(30, strict=True)
    assert [error.loc for error in refusal.value.errors] == [("audio_b64",)]


def test_a_keyframe_at_the_end_is_at_the_end_of_the_sound(resolve_with_sound: Callable[..., ResolvedRequest]) -> None:
    keyframes = [{"image_b64": "QUJD", "frame_idx": 0}, {"image_b64": "QUJD", "frame_idx": 24}]

    resolved = resolve_with_sound(Fraction(11, 10), keyframes=keyframes)

    assert [image.frame_idx for image in resolved.images] == [0, 24]
    with pytest.raises(RequestInvalid, match=r"keyframes.1.frame_idx: Input should be 0 .. 16"):
        resolve_with_sound(Fraction(7, 10), keyframes=keyframes)


def test_a_start_beyond_the_end_is_refused_with_the_length(resolve_with_sound: Callable[..., ResolvedRequest]) -> None:
    with pytest.raises(RequestInvalid, match=r"must be before the end of the sound, which is 1.250 s long"):
        resolve_with_sound(Fraction(5, 4), audio_start=1.25)


def test_a_start_without_a_sound_is_reported() -> None:
    [adjustment] = resolve_request({"prompt": "a fox", "audio_start": 2}).adjustments

    assert (adjustment.field, adjustment.requested, adjustment.used) == ("audio_start", 2, None)


@pytest.mark.parametrize("start", [-1, "early", True])
def test_a_start_that_is_no_number_of_seconds_is_refused(start: object) -> None:
    with pytest.raises(RequestInvalid, match=r"body\.audio_start: Input should be"):
        find_sound({"prompt": "a fox", "audio_b64": SOUND, "audio_start": start})


def test_the_specification_has_the_file_of_the_sound(resolve_with_sound: Callable[..., ResolvedRequest]) -> None:
    resolved = resolve_with_sound(1, audio_start=0.5, generate_audio=False)

    spec = to_spec(resolved, [], "a fox", sound_path=Path("sound"))

    assert (spec.sound, spec.generate_audio) == (Sound(Path("sound"), 0.5), False)
    assert resolved.clip_size.has_sound


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://example.com/a.mp3", "This server fetches nothing: send the sound itself"),
        ("data:audio/wav;base64,", "The sound is empty; send a WAV, MP3, M4A, Ogg or FLAC file in base64"),
        ("*", "The sound should be a WAV, MP3, M4A, Ogg or FLAC file in base64, and this is not valid base64"),
        ("A" * (MAX_FILE_BYTES * 4 // 3 + 4), "The sound should be at most 32 MiB once decoded"),
        (5, "Input should be a valid string"),
        ({"url": SOUND}, "Input should be a valid string"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_file_in_base64_is_refused(text: object, message: str) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        find_sound({"input": {"prompt": "a fox", "audio_b64": text}})

    [error] = refusal.value.errors
    assert error.loc == ("input", "audio_b64")
    assert error.msg.startswith(message)


@pytest.mark.parametrize("absent", [None, ""])
def test_without_a_sound_there_is_none(absent: object) -> None:
    body = {"prompt": "a fox", "audio_b64": absent}

    assert find_sound(body) is None
    assert resolve_request(body).sound is None


def test_the_sound_of_a_wrapped_request_is_found_where_it_was_sent() -> None:
    body = {"input": {"prompt": "a fox", "audio_b64": f"data:audio/wav;base64,{SOUND}", "audio_start": "0.5"}}

    found = find_sound(body)

    assert found is not None
    assert (found.data, found.start_s, found.loc) == (b"RIFF", 0.5, ("input", "audio_b64"))
    assert resolve_request(body).sound == found
