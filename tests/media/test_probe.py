import os
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from pipelines.errors import MuxError
from pipelines.media.muxer import mux
from pipelines.media.probe import probe, verify_clip
from pipelines.spec import Container


@pytest.fixture
def clip(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, width=128, num_frames=17, frame_rate=Fraction(25, 2))
    path = tmp_path / "clip"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    return SimpleNamespace(path=path, spec=spec)


def test_probe_describes_a_clip(clip, container):
    info = probe(clip.path)
    assert info == verify_clip(clip.path, clip.spec)
    assert info.container is container
    assert (info.width, info.height, info.num_frames, info.frame_rate) == (128, 64, 17, Fraction(25, 2))
    assert (info.video_codec, info.pixel_format) == ({"mp4": "h264", "webm": "vp9"}[container], "yuv420p")
    assert info.duration_s == Fraction(17 * 2, 25)
    assert info.video_start_s == 0
    assert info.has_audio
    assert info.audio is not None
    assert (info.audio.codec, info.audio.sample_rate, info.audio.channels) == (
        {"mp4": "aac", "webm": "opus"}[container],
        48_000,
        2,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 64}, "width is 128, expected 64"),
        ({"height": 128}, "height is 64, expected 128"),
        ({"num_frames": 9}, "num_frames is 17, expected 9; duration_s is 1.36, expected 0.72"),
        ({"frame_rate": Fraction(24)}, "frame_rate is 25/2, expected 24"),
        ({"frame_rate": Fraction(12500, 1001)}, "frame_rate is 25/2, expected 12500/1001"),
        ({"generate_audio": False}, "has_audio is True, expected False"),
        ({"width": 64, "height": 128}, "width is 128, expected 64; height is 64, expected 128"),
    ],
    ids=str,
)
def test_verify_names_what_differs(clip, container, changes, message, make_spec):
    fields = {"container": container, "width": 128, "num_frames": 17, "frame_rate": Fraction(25, 2)} | changes
    with pytest.raises(MuxError, match=f"clip is not what was asked for: .*{message}"):
        verify_clip(clip.path, make_spec(**fields))


def test_verify_names_the_container_and_its_codecs(clip, container, make_spec):
    other = next(c for c in Container if c is not container)
    spec = make_spec(container=other, width=128, num_frames=17, frame_rate=Fraction(25, 2))
    with pytest.raises(MuxError, match=f"container is {container}, expected {other}; video_codec is .*; codec is "):
        verify_clip(clip.path, spec)


def test_missing_sound_is_noticed(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container)
    mux(tmp_path / "clip", make_frames(spec), spec, None)
    with pytest.raises(MuxError, match="has_audio is False, expected True"):
        verify_clip(tmp_path / "clip", spec)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_clip_is_noticed(clip, kept):
    os.truncate(clip.path, int(clip.path.stat().st_size * kept))
    with pytest.raises(MuxError):
        verify_clip(clip.path, clip.spec)


def test_sound_out_of_step_is_noticed(tmp_path, make_spec, make_frames, make_waveform):
    """The clip is written by PyAV alone, with sound that begins 80 ms late."""
    spec = make_spec()
    path, late = tmp_path / "clip", tmp_path / "late"
    mux(path, make_frames(spec), spec, make_waveform(spec))
    with av.open(str(path)) as source, av.open(str(late), "w", format="mp4") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                packet.pts += 1024 + 3840
                packet.dts += 1024 + 3840
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    with pytest.raises(MuxError, match=r"sound starts 0\.08 s after"):
        verify_clip(late, spec)


def write_wave(path):
    with av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4096), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        target.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"not a clip" * 100), "cannot be read"),
        (lambda path: Image.new("RGB", (8, 8)).save(path, "PNG"), "is png_pipe, not mp4 or webm"),
        (write_wave, "has no moving picture"),
    ],
    ids=["missing", "folder", "empty", "text", "image", "sound only"],
)
def test_a_file_that_is_not_a_clip_is_an_error(tmp_path, write, message):
    path = tmp_path / "file"
    write(path)
    with pytest.raises(MuxError, match=message):
        probe(path)
