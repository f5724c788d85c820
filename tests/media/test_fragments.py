"""A clip that is also written in fragments while it grows."""

import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.errors import MuxError
from pipelines.media.fragments import Fragments, write_fragments
from pipelines.media.muxer import mux
from pipelines.spec import Container

FRAMES = 97


def content(path: Path) -> tuple[list[tuple[float, np.ndarray]], np.ndarray]:
    """Return the frames with their times, and the samples."""
    with av.open(str(path)) as source:
        frames = [(round(frame.time, 3), frame.to_ndarray(format="gray")) for frame in source.decode(video=0)]
    with av.open(str(path)) as source:
        sound = np.concatenate([frame.to_ndarray() for frame in source.decode(audio=0)], axis=1)
    return frames, sound


def boxes(data: bytes) -> Iterator[str]:
    """Yield the types of the boxes; raises an error if the last one is cut short."""
    position = 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        assert position + size <= len(data)
        yield kind.decode()
        position += size


@pytest.fixture
def written(container, tmp_path, make_spec, make_frames, make_waveform):
    """Write a clip with fragments; return both paths, the sizes reported and how many frames were taken by then."""
    spec = make_spec(container=container, num_frames=FRAMES)
    plain, path = tmp_path / "clip", tmp_path / "fragments"
    taken, reports = 0, []

    def frames():
        nonlocal taken
        for chunk in make_frames(spec):
            taken += len(chunk)
            yield chunk

    fragments = Fragments(path, lambda size_bytes: reports.append((size_bytes, taken, path.read_bytes())))
    mux(plain, frames(), spec, make_waveform(spec), fragments=fragments)
    return plain, path, reports


def test_the_plain_file_is_the_same_without_fragments(
    container, written, tmp_path, make_spec, make_frames, make_waveform
):
    spec = make_spec(container=container, num_frames=FRAMES)
    mux(tmp_path / "alone", make_frames(spec), spec, make_waveform(spec))

    assert written[0].read_bytes() == (tmp_path / "alone").read_bytes()


def test_the_fragments_show_and_sound_what_the_plain_file_does(written):
    plain, path, _ = written
    (frames, sound), (own_frames, own_sound) = content(plain), content(path)

    assert [time for time, _ in own_frames] == [time for time, _ in frames]
    assert all(np.array_equal(own, frame) for (_, own), (_, frame) in zip(own_frames, frames, strict=True))
    assert np.array_equal(own_sound, sound)


def test_the_file_grows_while_frames_are_still_made_and_nothing_in_it_changes(written):
    _, path, reports = written
    whole = path.read_bytes()

    assert reports[0][1] < FRAMES / 2
    assert [size for size, _, _ in reports] == sorted({size for size, _, _ in reports})
    assert reports[-1][0] == len(whole)
    assert all(len(data) == size and whole.startswith(data) for size, _, data in reports)


def test_an_mp4_begins_with_its_head_and_grows_by_whole_fragments(container, written):
    if container is not Container.MP4:
        pytest.skip("mp4 only")
    for _, _, data in written[2]:
        head, fragments = list(boxes(data))[:2], list(boxes(data))[2:]
        if fragments[-1] == "mfra":  # the index at the end of the file
            fragments.pop()
        assert head == ["ftyp", "moov"]
        assert fragments == ["moof", "mdat"] * (len(fragments) // 2)


def test_a_finished_clip_can_be_written_in_fragments(container, written, tmp_path):
    plain, path, _ = written
    write_fragments(plain, container, tmp_path / "later")

    (frames, sound), (own_frames, own_sound) = content(path), content(tmp_path / "later")
    assert [time for time, _ in own_frames] == [time for time, _ in frames]
    assert all(np.array_equal(own, frame) for (_, own), (_, frame) in zip(own_frames, frames, strict=True))
    assert np.array_equal(own_sound, sound)
    if container is Container.MP4:
        assert list(boxes((tmp_path / "later").read_bytes()))[:4] == ["ftyp", "moov", "moof", "mdat"]


def test_a_clip_without_sound_has_fragments_too(container, tmp_path, make_spec, make_frames):
    spec = make_spec(container=container, num_frames=FRAMES, generate_audio=False)
    mux(tmp_path / "clip", make_frames(spec), spec, None, fragments=Fragments(tmp_path / "fragments"))

    with av.open(str(tmp_path / "fragments")) as source:
        assert [stream.type for stream in source.streams] == ["video"]
        assert sum(1 for _ in source.decode(video=0)) == FRAMES


def test_fragments_that_cannot_be_written_fail_the_clip(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container)

    with pytest.raises(MuxError, match="No such file"):
        mux(
            tmp_path / "clip",
            make_frames(spec),
            spec,
            make_waveform(spec),
            fragments=Fragments(tmp_path / "missing" / "fragments"),
        )

    assert list(tmp_path.iterdir()) == []


def test_the_packets_of_a_webm_are_in_the_order_of_their_times(written, container):
    if container is not Container.WEBM:
        pytest.skip("webm only")
    path = written[1]
    with av.open(str(path)) as source:
        # As in the file, where those of Opus are later by what it begins with.
        delays = {"video": 0, "audio": 7}
        times = [packet.pts + delays[packet.stream.type] for packet in source.demux() if packet.pts is not None]

    assert times == sorted(times)
    assert len(times) > FRAMES


def test_fragments_say_how_the_clip_was_made_if_it_does(container, tmp_path, make_spec, make_frames, make_waveform):
    spec = make_spec(container=container, embed_metadata=True)
    plain = tmp_path / "clip"
    mux(plain, make_frames(spec), spec, make_waveform(spec), fragments=Fragments(tmp_path / "live"))
    write_fragments(plain, container, tmp_path / "later")

    for path in (plain, tmp_path / "live", tmp_path / "later"):
        with av.open(str(path)) as source:
            [text] = [text for name, text in source.metadata.items() if name.lower() == "comment"]
        assert '"prompt": "a prompt"' in text
