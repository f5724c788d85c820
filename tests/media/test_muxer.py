import itertools
import re
import struct
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest

from pipelines.media.encoders import YuvConverter
from pipelines.media.muxer import mux
from pipelines.media.probe import probe, verify_clip

RATES = [
    Fraction(8),
    Fraction(25, 2),
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(121, 5),  # 121 frames in 5 s
]


def decoded_picture(path):
    with av.open(str(path)) as source:
        return [(frame.time, frame.to_ndarray(format="gray")) for frame in source.decode(video=0)]


def decoded_sound(path):
    """Return the time of the first sample, and the samples of both channels."""
    with av.open(str(path)) as source:
        frames = list(source.decode(audio=0))
    planes = [f.to_ndarray() if f.format.is_planar else f.to_ndarray().reshape(-1, 2).T for f in frames]
    return float(frames[0].pts * frames[0].time_base), np.concatenate(planes, axis=1)


def demuxed(path):
    with av.open(str(path)) as source:
        for packet in source.demux():
            if packet.pts is not None:
                yield packet


@pytest.mark.parametrize("num_frames", [9, 17])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_frames_and_rates_are_exact(container, rate, num_frames, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, frame_rate=rate, num_frames=num_frames)
    path = tmp_path / "clip"

    mux(path, make_frames(spec), spec, make_waveform(spec))

    info = verify_clip(path, spec)
    assert (info.num_frames, info.frame_rate) == (num_frames, rate)
    times = sorted(packet.pts * packet.time_base for packet in demuxed(path) if packet.stream.type == "video")
    tolerance_s = {"mp4": 0, "webm": Fraction(1, 2000)}[container]
    assert all(abs(time - i / rate) <= tolerance_s for i, time in enumerate(times))
    assert [round(time * float(rate)) for time, _ in decoded_picture(path)] == list(range(num_frames))


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001)], ids=str)
def test_a_clip_of_usual_length_is_exact(container, rate, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, frame_rate=rate, num_frames=121, width=128)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    verify_clip(path, spec)


def test_a_silent_clip_has_no_audio_stream(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, generate_audio=False)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, None)
    assert verify_clip(path, spec).audio is None
    with av.open(str(path)) as source:
        assert [stream.type for stream in source.streams] == ["video"]


@pytest.mark.parametrize("length", [0, 0.5, 1, 1.7], ids=["empty", "short", "exact", "long"])
@pytest.mark.parametrize("rate", [Fraction(8), Fraction(30000, 1001)], ids=str)
def test_sound_starts_and_ends_with_the_picture(
    container, rate, length, tmp_path, make_spec, make_frames, make_waveform
):
    spec = make_spec(container=container, frame_rate=rate, num_frames=17)
    path = tmp_path / "clip"

    mux(path, make_frames(spec), spec, make_waveform(spec, length))

    info = verify_clip(path, spec)
    assert info.audio is not None
    assert abs(info.audio.start_s - info.video_start_s) <= Fraction(1, 1000)
    # Stricter than verify_clip, which allows one frame of sound: only the container's rounding remains.
    assert abs(info.audio.end_s - info.video_end_s) <= Fraction(2, 1000)
    _, samples = decoded_sound(path)
    wanted = round(spec.duration_s * 48_000)
    assert wanted <= samples.shape[1] < wanted + 1024
    loudness = np.abs(samples[:, int(0.6 * wanted) : int(0.95 * wanted)]).mean()
    assert (loudness > 0.1) == (length >= 1)


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_click_is_heard_when_the_flash_is_seen(container, rate, tmp_path, make_spec):
    spec = make_spec(container=container, frame_rate=rate, num_frames=25)
    frames = np.full((25, 64, 64, 3), 16, np.uint8)
    frames[13] = 255
    waveform = np.zeros((2, 60_000 * 4), np.float32)
    waveform[:, round(13 / rate * 48_000)] = 0.9
    path = tmp_path / "clip"

    mux(path, [frames], spec, waveform)

    flash_s = max(decoded_picture(path), key=lambda picture: picture[1].mean())[0]
    start_s, samples = decoded_sound(path)
    click_s = start_s + np.abs(samples[0]).argmax() / 48_000
    assert flash_s == pytest.approx(float(13 / rate), abs=0.0006)
    assert click_s == pytest.approx(flash_s, abs=0.001)


def test_left_and_right_are_not_swapped(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, num_frames=25)
    waveform = make_waveform(spec) * np.array([[1], [0]], np.float32)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, waveform)
    _, samples = decoded_sound(path)
    left, right = np.abs(samples).mean(axis=1)
    assert left > 0.1
    assert right < 0.01


COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (200, 30, 90),
    (10, 220, 180),
    (77, 13, 250),
]


def rgb_from_bt709(y, cb, cr):
    """Convert limited-range ITU-R BT.709 to RGB."""
    y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    return np.array([red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue]) * 255


def test_colours_are_bt709_and_tagged_as_such(container, tmp_path, make_spec):
    spec = make_spec(container=container, generate_audio=False)
    frames = np.broadcast_to(np.array(COLOURS, np.uint8)[:, None, None], (9, 64, 64, 3))
    path = tmp_path / "clip"

    mux(path, [frames], spec, None)

    with av.open(str(path)) as source:
        decoded = list(source.decode(video=0))
        context = source.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    # AVCOL_SPC_BT709, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_RANGE_MPEG
    assert tags == (1, 1, 1, 1)
    for frame, colour in zip(decoded, COLOURS, strict=True):
        planes = frame.to_ndarray(format="yuv420p").reshape(-1).astype(float)
        y, cb, cr = (plane.mean() for plane in np.split(planes, [4096, 4096 + 1024]))
        assert rgb_from_bt709(y, cb, cr) == pytest.approx(np.array(colour), abs=4)


def test_the_decoded_picture_is_close_to_the_frames(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, width=192, height=128, generate_audio=False)
    rows, columns = np.mgrid[:128, :192]
    picture = np.stack([rows, columns, rows // 2 + columns // 2], axis=-1).astype(np.uint8)
    path = tmp_path / "clip"

    mux(path, [np.stack([picture] * 9)], spec, None)

    with av.open(str(path)) as source:
        last = list(source.decode(video=0))[-1].to_ndarray(format="rgb24").astype(float)
    assert np.sqrt(np.mean((last - picture) ** 2)) < 4


def top_level_atoms(data):
    position = 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        yield kind
        position += size


def test_mp4_can_be_played_while_it_downloads(tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec()
    path = tmp_path / "clip.mp4"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    atoms = list(top_level_atoms(path.read_bytes()))
    assert atoms.index(b"moov") < atoms.index(b"mdat")
    assert b"colrnclx\x00\x01\x00\x01\x00\x01\x00" in path.read_bytes()


def test_mp4_has_a_profile_that_browsers_and_phones_play(tmp_path, make_spec, make_frames):
    spec = make_spec(width=256, height=128, generate_audio=False)
    path = tmp_path / "clip.mp4"
    mux(path, make_frames(spec), spec, None)
    with av.open(str(path)) as source:
        context = source.streams.video[0].codec_context
        # The four characters of QuickTime's own H.264.
        assert (context.profile, context.pix_fmt, context.codec_tag) == ("High", "yuv420p", "avc1")


def test_mp4_headers_give_the_exact_length_of_both_streams(tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(num_frames=25)  # 1.0416666 s
    path = tmp_path / "clip.mp4"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    with av.open(str(path)) as source:
        assert [stream.duration * stream.time_base for stream in source.streams] == [spec.duration_s] * 2


def test_the_file_does_not_name_the_version_of_its_writer(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    assert not re.search(rb"Lav[cf]\d", path.read_bytes())


def test_sound_and_picture_are_interleaved(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, frame_rate=Fraction(8), num_frames=121)
    path = tmp_path / "clip"

    mux(path, make_frames(spec), spec, make_waveform(spec))

    packets = sorted(demuxed(path), key=lambda packet: packet.pos)
    times = [float(packet.dts * packet.time_base) for packet in packets]
    latest = itertools.accumulate(times, max)
    assert all(time > previous - 0.5 for time, previous in zip(times, latest, strict=True))


def test_the_same_input_gives_the_same_bytes_in_any_chunks(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, num_frames=49, width=256, height=192)
    clips = []
    for chunk in (49, 8, 1):
        path = tmp_path / f"clip-{chunk}"
        mux(path, make_frames(spec, chunk), spec, make_waveform(spec))
        clips.append(path.read_bytes())
    assert clips[0] == clips[1] == clips[2]


@pytest.mark.parametrize("width", [128, 192], ids=["even", "odd"])
def test_a_width_of_any_number_of_blocks_gives_the_same_bytes(container, width, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, num_frames=25, width=width, height=128, generate_audio=False)
    path, clips = tmp_path / "clip", set()
    for _ in range(12):
        mux(path, make_frames(spec), spec, None)
        clips.add(path.read_bytes())
    assert len(clips) == 1


def test_frames_need_not_be_contiguous_or_writable(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, width=128, generate_audio=False)
    planar = [np.ascontiguousarray(chunk.transpose(0, 3, 1, 2)) for chunk in make_frames(spec)]
    for chunk in planar:
        chunk.flags.writeable = False
    plain, strided = tmp_path / "plain", tmp_path / "strided"
    mux(plain, make_frames(spec), spec, None)
    mux(strided, (chunk.transpose(0, 2, 3, 1) for chunk in planar), spec, None)
    assert plain.read_bytes() == strided.read_bytes()


def test_frames_may_be_in_the_encoders_own_format(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, width=256, height=128, num_frames=25)
    converter = YuvConverter(spec.width, spec.height, threads=1)
    planes = [np.stack([converter.convert(f).to_ndarray() for f in chunk]) for chunk in make_frames(spec)]
    converted, plain = tmp_path / "converted", tmp_path / "plain"
    mux(converted, planes, spec, make_waveform(spec))
    mux(plain, make_frames(spec), spec, make_waveform(spec))
    assert planes[0].shape == (8, 192, 256)
    assert converted.read_bytes() == plain.read_bytes()


def test_a_clip_is_never_whole_in_memory(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, num_frames=121, generate_audio=False)
    chunks, alive = [], []

    def frames():
        for chunk in make_frames(spec, chunk=4):
            chunks.append(weakref.ref(chunk))
            alive.append(sum(ref() is not None for ref in chunks))
            yield chunk

    mux(tmp_path / "clip", frames(), spec, None)

    assert len(chunks) == 31
    # Two waiting or being encoded, one just encoded, one just made.
    assert max(alive) <= 4


def test_the_number_of_threads_can_be_set(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, make_waveform(spec), threads=1)
    verify_clip(path, spec)


def test_a_waveform_that_is_too_loud_is_clipped(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, num_frames=25)
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, make_waveform(spec) * 20)
    verify_clip(path, spec)


def test_a_clip_replaces_an_existing_file(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, generate_audio=False)
    path = tmp_path / "clip"
    path.write_bytes(b"the one before")
    mux(path, make_frames(spec), spec, None)
    assert probe(path).num_frames == 9
    assert list(tmp_path.iterdir()) == [path]
