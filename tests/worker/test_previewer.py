"""Previews beside a render, and the fit of their map while the worker has no job."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.ltx.latent_preview import start_preview
from pipelines.ltx.latent_rgb import LatentRgb
from pipelines.ltx.models import load_video_vae
from pipelines.media.animation import encode_animation
from pipelines.spec import GenerationSpec
from server.worker.main import next_job
from server.worker.messages import Generate, PreviewMade
from server.worker.previewer import Previewer, find_viewer, fit_while_idle
from weights.tiny import TinyFiles


class Grey:
    """Shows each latent frame as one pixel of its first channel's mean."""

    def frames(self, latent: torch.Tensor) -> torch.Tensor:
        return latent[0, 0].mean((-1, -2)).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 2, 3, 3)


@pytest.mark.parametrize(("count", "shown"), [(1, [0]), (3, [0, 1, 2]), (31, list(range(0, 31, 2)))])
def test_a_long_clip_is_shown_by_sixteen_frames(count: int, shown: list[int]) -> None:
    latent = torch.arange(count).float().view(1, 1, count, 1, 1)

    assert start_preview(Grey(), latent)()[:, 0, 0, 0].tolist() == shown


def test_the_latent_is_not_changed() -> None:
    latent = torch.randn(1, 4, 2, 3, 3)
    before = latent.clone()

    start_preview(LatentRgb(torch.randn(4, 3), torch.zeros(3)), latent)()

    assert torch.equal(latent, before)


def job(name: str) -> Generate:
    return Generate(name, GenerationSpec(name, 1, 256, 256, 9, Fraction(24)), Path(name))


def test_idle_work_stops_when_a_job_comes() -> None:
    jobs: SimpleQueue[Generate] = SimpleQueue()
    done: list[int] = []

    def work() -> Iterator[None]:
        for i in range(4):
            done.append(i)
            if i == 1:
                jobs.put(job("first"))
            yield
        jobs.put(job("second"))

    idle_work = work()
    assert next_job(jobs, idle_work).job_id == "first"
    assert done == [0, 1]
    assert next_job(jobs, idle_work).job_id == "second"
    assert done == [0, 1, 2, 3]
    jobs.put(job("third"))
    assert next_job(jobs, idle_work).job_id == "third"


def test_a_job_that_waits_is_taken_before_any_idle_work() -> None:
    jobs: SimpleQueue[Generate] = SimpleQueue()
    jobs.put(job("first"))

    done: list[int] = []

    assert next_job(jobs, map(done.append, range(1))).job_id == "first"
    assert done == []


@pytest.mark.parametrize(
    ("height", "width", "size"), [(4, 8, (96, 48)), (60, 34, (54, 96)), (100, 200, (200, 100)), (512, 512, (256, 256))]
)
def test_an_animation_has_96_to_256_pixels(height: int, width: int, size: tuple[int, int]) -> None:
    pictures = np.zeros((3, height, width, 3), np.uint8)
    pictures[1] = 255
    with Image.open(io.BytesIO(encode_animation(pictures, 3.0))) as shown:
        assert shown.size == size
        assert getattr(shown, "n_frames", 1) == 3
        assert shown.info["loop"] == 0
        shown.seek(1)
        assert np.asarray(shown.convert("L")).mean() > 250


def test_the_map_of_an_unknown_vae_is_fitted_once_and_shows_the_next_steps(
    random_tiny: TinyFiles, tmp_path: Path
) -> None:
    vae = load_video_vae(random_tiny.checkpoint, torch.device("cpu"), torch.float32)
    assert find_viewer(vae, tmp_path) is None
    sent: SimpleQueue[PreviewMade] = SimpleQueue()
    previewer = Previewer(None, lambda job_id: job_id == "watched", sent.put)
    latent = torch.randn(1, 128, 2, 4, 4)
    previewer.show(("watched", "stage_1", 1, 8), latent, 1.0)

    assert len(list(fit_while_idle(previewer, vae, tmp_path, clips=2))) == 3

    previewer.show(("another", "stage_1", 2, 8), latent, 1.0)
    previewer.show(("watched", "stage_1", 3, 8), latent, 1.0)
    made = sent.get()
    assert (made.job_id, made.stage, made.step, made.steps) == ("watched", "stage_1", 3, 8)
    assert made.data.startswith(b"RIFF")
    again = Previewer(find_viewer(vae, tmp_path), bool, sent.put)
    assert list(fit_while_idle(again, vae, tmp_path)) == []
    for each in (previewer, again):
        each.close()
    assert len(list((tmp_path / "previews").iterdir())) == 1


def test_a_viewer_that_fails_does_not_stop_the_render() -> None:
    class Fails:
        def frames(self, latent: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("no room for a preview")

    sent: SimpleQueue[PreviewMade] = SimpleQueue()
    previewer = Previewer(Fails(), lambda job_id: True, sent.put)
    previewer.show(("job", "stage_1", 1, 8), torch.randn(1, 4, 1, 2, 2), 1.0)
    previewer.viewer = Grey()
    previewer.show(("job", "stage_1", 2, 8), torch.rand(1, 4, 1, 2, 2), 1.0)

    previewer.close()
    assert sent.get().step == 2
