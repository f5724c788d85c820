from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import SoundError
from pipelines.media.sound import fold_to_stereo, measure_sound, read_sound
from tests.media.sounds import tone, write_sound, write_wav

FORMATS = {
    "wav": ("pcm_f32le", "wav", "flt"),
    "mp3": ("libmp3lame", "mp3", "fltp"),
    "m4a": ("aac", "ipod", "fltp"),
    "ogg": ("vorbis", "ogg", "fltp"),
    "opus": ("libopus", "ogg", "flt"),
    "flac": ("flac", "flac", "s16"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_its_tone_from_the_first_sample(name: str, tmp_path: Path) -> None:
    codec, container, sample_format = FORMATS[name]
    samples = tone(1.0)
    stored = np.round(samples * 32768).astype(np.int16) if sample_format == "s16" else samples
    path = write_sound(tmp_path / f"sound.{name}", stored, 48_000, codec, container, sample_format)

    found = read_sound(path, Fraction(0), Fraction(1, 2))

    assert found.sample_rate == 48_000
    assert found.samples.shape == (2, 24_000)
    inner = slice(2_000, 22_000)
    assert np.abs(found.samples[:, inner] - samples[:, inner]).max() < 0.05
    assert abs(measure_sound(path) - 1) < Fraction(1, 10)


def test_a_part_equals_the_same_part_of_the_whole(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound.m4a", tone(1.5), 44_100, "aac", "ipod", "fltp")

    whole = read_sound(path, Fraction(0), Fraction(10))
    part = read_sound(path, Fraction(35, 100), Fraction(1, 2))

    assert np.array_equal(part.samples, whole.samples[:, 15_435 : 15_435 + 22_050])


def test_a_part_ends_with_the_sound_and_is_padded_with_silence(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.5))

    found = read_sound(path, Fraction(1, 4), Fraction(1))
    padded = found.fitted(Fraction(1))

    assert found.duration_s == Fraction(1, 4)
    assert padded.samples.shape == (2, 48_000)
    assert np.array_equal(padded.samples[:, :12_000], found.samples)
    assert not padded.samples[:, 12_000:].any()


@pytest.mark.parametrize(
    ("dtype", "codec", "sample_format", "scale"),
    [(np.uint8, "pcm_u8", "u8", 128), (np.int16, "pcm_s16le", "s16", 2**15), (np.int32, "pcm_s32le", "s32", 2**31)],
)
def test_whole_numbers_become_floats_of_full_scale_one(dtype, codec, sample_format, scale, tmp_path: Path) -> None:
    middle = 128 if dtype is np.uint8 else 0
    stored = np.array([[middle, middle + scale // 2, middle - scale]] * 2).repeat(400, axis=1).astype(dtype)
    path = write_sound(tmp_path / "sound.wav", stored, 8_000, codec, "wav", sample_format)

    found = read_sound(path, Fraction(0), Fraction(1))

    assert np.array_equal(found.samples[0], np.repeat([0.0, 0.5, -1.0], 400))


def test_a_single_channel_is_doubled(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.1, channels=1))

    found = read_sound(path, Fraction(0), Fraction(1)).samples

    assert found.shape == (2, 4_800)
    assert np.array_equal(found[0], found[1])
    assert np.abs(found[0] - tone(0.1)[0]).max() < 1e-4


def test_surround_is_folded_without_exceeding_full_scale() -> None:
    left_behind = np.zeros((6, 10), np.float32)
    left_behind[4] = 1
    loud = np.ones((6, 10), np.float32)

    folded = fold_to_stereo(left_behind, av.AudioLayout("5.1"))

    assert folded[0, 0] == pytest.approx(0.293, abs=0.001)
    assert not folded[1].any()
    assert np.abs(fold_to_stereo(loud, av.AudioLayout("5.1"))).max() == pytest.approx(1)


def test_a_surround_file_is_read_as_stereo(tmp_path: Path) -> None:
    samples = np.zeros((6, 4_800), np.float32)
    samples[2] = tone(0.1, channels=1)[0]
    path = write_sound(tmp_path / "sound.flac", (samples * 32767).astype(np.int16), 48_000, "flac", "flac", "s16")

    found = read_sound(path, Fraction(0), Fraction(1)).samples

    assert np.array_equal(found[0], found[1])
    assert np.abs(found).max() == pytest.approx(0.5 * 0.293, abs=0.01)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp3"
    with av.open(str(path), "w", format="mp3") as file:
        sound = file.add_stream("libmp3lame", rate=48_000, layout="stereo")
        cover = file.add_stream("mjpeg", width=64, height=64, pix_fmt="yuvj420p", rate=1)
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        frame = av.AudioFrame.from_ndarray(tone(1.0), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        for packet in [*cover.encode(picture), *cover.encode(None), *sound.encode(frame), *sound.encode(None)]:
            file.mux(packet)

    assert abs(measure_sound(path) - 1) < Fraction(1, 10)


def write_video(path: Path, codec: str, container: str) -> Path:
    with av.open(str(path), "w", format=container) as file:
        video = file.add_stream(codec, width=64, height=64, pix_fmt="yuv420p", rate=24)
        sound = file.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(tone(1.0), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        pictures = [av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24") for _ in range(24)]
        packets = [packet for picture in [*pictures, None] for packet in video.encode(picture)]
        for packet in [*packets, *sound.encode(frame), *sound.encode(None)]:
            file.mux(packet)
    return path


def test_a_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="it is a video: send a WAV"):
        measure_sound(write_video(tmp_path / "clip.mp4", "libx264", "mp4"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "it is a PNG image: send a WAV"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "not a sound of a known format"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "WebM or Matroska"),
        (b"RIFF\x24\0\0\0WAVE" + bytes(32), "damaged or cut short|no audio track"),
        (b"OggS" + bytes(100), "damaged or cut short|no audio track"),
        (b"fLaC" + bytes(100), "damaged or cut short"),
        (b"ID3" + bytes(1000), "damaged or cut short|no audio track|holds no samples"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "damaged or cut short|no audio track"),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(data)

    with pytest.raises(SoundError, match=message):
        measure_sound(path)


@pytest.mark.parametrize("name", ["wav", "flac", "m4a", "mp3", "opus"])
def test_a_sound_that_was_cut_short_is_refused(name: str, tmp_path: Path) -> None:
    codec, container, sample_format = FORMATS[name]
    stored = np.round(tone(2.0) * 32768).astype(np.int16) if sample_format == "s16" else tone(2.0)
    path = write_sound(tmp_path / "sound", stored, 48_000, codec, container, sample_format)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    with pytest.raises(SoundError, match="cut short"):
        measure_sound(path)


@pytest.mark.parametrize("rest", [b"TAG" + bytes(125), bytes(500), b"APETAGEX" + bytes(100)])
def test_what_other_programs_append_to_an_mp3_is_skipped(rest: bytes, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound", tone(0.5), 48_000, "libmp3lame", "mp3", "fltp")
    path.write_bytes(path.read_bytes() + rest)

    assert abs(measure_sound(path) - Fraction(1, 2)) < Fraction(1, 10)


def test_an_mp3_that_does_not_say_its_length_is_measured(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound", tone(2.0), 48_000, "libmp3lame", "mp3", "fltp")
    data = path.read_bytes()
    frames = data[data.index(b"Info") if b"Info" in data else data.index(b"Xing") :]
    path.write_bytes(frames[frames.index(b"\xff\xfb") :][: len(frames) // 2])

    assert Fraction(1, 2) < measure_sound(path) < Fraction(3, 2)


def test_every_missing_byte_of_a_wav_is_found(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.5))
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(SoundError, match="cut short"):
        read_sound(path, Fraction(0), Fraction(1))


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**32 - 1])
def test_a_wav_that_was_written_to_a_pipe_does_not_know_its_size(size: int, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.5))
    data = bytearray(path.read_bytes())
    start = data.index(b"data") + 4
    data[start : start + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)

    assert measure_sound(path) == Fraction(1, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    samples = tone(0.5)
    samples[1, 20_000] = value
    path = write_sound(tmp_path / "sound.wav", samples, 48_000, "pcm_f32le", "wav", "flt")

    with pytest.raises(SoundError, match="no finite numbers"):
        measure_sound(path)


def test_samples_of_another_scale_are_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound.wav", tone(0.5) * 32768, 48_000, "pcm_f32le", "wav", "flt")

    with pytest.raises(SoundError, match="reach 16384, and 1 is full scale"):
        measure_sound(path)


def test_a_sound_without_samples_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.1))
    data = bytearray(path.read_bytes())
    start = data.index(b"data")
    path.write_bytes(data[:start] + b"data\0\0\0\0")

    with pytest.raises(SoundError, match="holds no samples"):
        measure_sound(path)


def test_an_unusual_rate_and_codec_are_refused(tmp_path: Path) -> None:
    rate = write_wav(tmp_path / "rate.wav", tone(0.1), 47_999)
    codec = write_sound(tmp_path / "codec.wav", (tone(0.1) * 32767).astype(np.int16), 48_000, "adpcm_ms", "wav", "s16")

    with pytest.raises(SoundError, match="sample rate is 47999 Hz: send one of 8000, 11025"):
        measure_sound(rate)
    with pytest.raises(SoundError, match="WAV file has codec adpcm_ms"):
        measure_sound(codec)


def test_a_sound_that_is_too_long_is_refused_by_its_header(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", np.zeros((1, 8_000 * 601), np.float32), 8_000)

    with pytest.raises(SoundError, match="longer than 600 s"):
        read_sound(path, Fraction(0), Fraction(1))


def test_a_header_that_hides_the_length_is_found_out(tmp_path: Path) -> None:
    silence = np.zeros((1, 8_000 * 700), np.int16)
    path = write_sound(tmp_path / "sound.flac", silence, 8_000, "flac", "flac", "s16")
    data = bytearray(path.read_bytes())
    # STREAMINFO's total of samples: the low 36 bits of the 8 bytes at 18.
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36
    data[18:26] = (packed | 8_000).to_bytes(8, "big")
    path.write_bytes(data)

    with pytest.raises(SoundError, match="longer than 600 s"):
        measure_sound(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with path.open("wb") as file:
        file.truncate(33 * 2**20)

    with pytest.raises(SoundError, match="send at most 33554432"):
        measure_sound(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="cannot be read: No such file"):
        measure_sound(tmp_path / "absent.wav")


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a short sound in every format."""
    folder, files = tmp_path_factory.mktemp("sounds"), {}
    for name, (codec, container, sample_format) in FORMATS.items():
        samples = tone(0.3)
        stored = np.round(samples * 32768).astype(np.int16) if sample_format == "s16" else samples
        files[name] = write_sound(folder / name, stored, 48_000, codec, container, sample_format).read_bytes()
    return files


@settings(max_examples=300)
@given(name=st.sampled_from(list(FORMATS)), data=st.data())
def test_a_damaged_sound_is_measured_or_raises_sound_error(
    name: str, data: st.DataObject, encoded: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = bytearray(encoded[name])
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(file)))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(file[:end])

    with suppress(SoundError):
        assert 0 < measure_sound(path) <= 600
    with suppress(SoundError):
        assert read_sound(path, Fraction(1, 10), Fraction(1, 10)).samples.shape[0] == 2
