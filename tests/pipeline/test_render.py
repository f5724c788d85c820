"""Clips whose places overlap: the same files as one by one, and errors of the writer."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import Cancelled, ImageError, MuxError
from pipelines.finishing import Finishing
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import prepare_pictures
from pipelines.ltx.trace import Trace
from pipelines.render import render, start_render
from pipelines.spec import Container, GenerationSpec, Keyframe

MakeSpec = Callable[..., GenerationSpec]


@pytest.fixture
def finishing() -> Iterator[Finishing]:
    with Finishing() as finishing:
        yield finishing


@pytest.fixture
def specs(spec: MakeSpec, tmp_path: Path) -> list[GenerationSpec]:
    image = tmp_path / "photograph.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (150, 201, 3), dtype=np.uint8)).save(image)
    return [
        spec(seed=1, num_frames=17),
        spec(seed=2, prompt="a hen", keyframes=(Keyframe(image),), container=Container.WEBM),
        spec(seed=3, keyframes=(Keyframe(image, crf=0), Keyframe(image, 8, 0.5)), generate_audio=False),
    ]


def test_clips_that_overlap_are_the_same_files_as_one_by_one(
    components: Components, specs: list[GenerationSpec], finishing: Finishing, tmp_path: Path
) -> None:
    for number, spec in enumerate(specs):
        render(components, spec, tmp_path / f"alone-{number}", Trace())
    futures = []
    for number, spec in enumerate(specs):
        pictures = prepare_pictures(spec)
        futures.append(start_render(components, spec, tmp_path / f"beside-{number}", Trace(), finishing, pictures))
    infos = [future.result()[0] for future in futures]

    assert [info.num_frames for info in infos] == [17, 9, 9]
    for number in range(len(specs)):
        assert (tmp_path / f"beside-{number}").read_bytes() == (tmp_path / f"alone-{number}").read_bytes()


class HeldBack(Trace):
    """Lets the writer begin only when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def writing(self, count: int) -> None:
        self.go.wait()


def test_the_device_is_free_when_the_last_frame_is_decoded(
    components: Components, spec: MakeSpec, finishing: Finishing, tmp_path: Path
) -> None:
    trace = HeldBack()
    first = start_render(components, spec(), tmp_path / "first", trace, finishing)

    assert not first.done()
    assert not (tmp_path / "first").exists()
    trace.go.set()
    timings_s = first.result()[1]
    assert (tmp_path / "first").stat().st_size > 1000
    assert all(timings_s.values())


class StopsWriting(Trace):
    def writing(self, count: int) -> None:
        raise Cancelled("stop")


def test_a_trace_can_stop_a_clip_while_it_is_written(
    components: Components, spec: MakeSpec, finishing: Finishing, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled, match="stop"):
        start_render(components, spec(), tmp_path / "clip", StopsWriting(), finishing).result()

    assert list(tmp_path.iterdir()) == []
    assert render(components, spec(), tmp_path / "clip", Trace())[0].num_frames == 9


def test_an_error_of_the_writer_ends_the_decoder_that_waits_for_it(
    components: Components, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With room for one chunk, the decoder waits for the writer, which cannot open its file."""
    monkeypatch.setattr("pipelines.render.MAX_QUEUED_BYTES", 1)

    with pytest.raises(MuxError, match="No such file"):
        render(components, spec(num_frames=49), tmp_path / "missing" / "clip", Trace())


def test_each_image_is_a_chance_to_stop(specs: list[GenerationSpec]) -> None:
    seen: list[int] = []

    def on_picture() -> None:
        seen.append(1)
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        prepare_pictures(specs[2], on_picture)
    assert seen == [1]


def test_a_missing_image_is_an_error_before_the_device_is_used(spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        prepare_pictures(spec(keyframes=(Keyframe(tmp_path / "missing.png"),)))
