"""The real worker process with the tiny model."""

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from pipelines.spec import GenerationSpec, Keyframe
from server.jobs.dispatcher import Dispatcher
from server.jobs.job import RenderRefused
from server.jobs.limits import Limits
from server.jobs.worker_process import Worker, run_worker
from server.worker.messages import (
    Cancel,
    Done,
    Failed,
    FailureKind,
    FromWorker,
    Generate,
    Memory,
    Progress,
    Ready,
    WorkerConfig,
)
from tests.jobs.conftest import Event, Rig, Started, outcome, program_of
from weights.tiny import TinyFiles


@pytest.fixture(autouse=True)
def foreign_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run in the folder of a user's project, which has a module `server`."""
    project = tmp_path_factory.mktemp("project")
    (project / "server.py").write_text("raise SystemExit('this is not the server')")
    monkeypatch.chdir(project)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def heard(worker: Worker, kind: type[Event]) -> Event:
    """Wait for the worker's next message of this type."""
    while not isinstance(message := await worker.receive(), kind):
        assert message is not None, "the worker ended"
    return message


async def reached(worker: Worker, stage: str, step: int) -> None:
    while (progress := await heard(worker, Progress)).stage != stage or progress.step != step:
        pass


async def test_a_worker_sends_heartbeats_while_it_loads_and_cancels_a_render_between_steps(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    spec = GenerationSpec("a red fox", 1, 256, 256, 9, Fraction(24))
    async with run_worker(WorkerConfig(cache_dir)) as worker:
        loading = []
        while not isinstance(message := await worker.receive(), Ready):
            loading.append(message)
        assert any(isinstance(message, Memory) and message.resident_bytes > 0 for message in loading)

        worker.send(Generate("first", spec, tmp_path / "first.mp4"))
        await reached(worker, "stage_1", 1)
        worker.send(Cancel("first"))
        assert (await heard(worker, Failed)).kind is FailureKind.CANCELLED
        assert names(tmp_path) == []

        worker.send(Cancel("first"))
        worker.send(Generate("second", spec, tmp_path / "second.mp4"))
        assert (await heard(worker, Done)).job_id == "second"
        worker.kill()
    assert names(tmp_path) == ["second.mp4"]


async def test_jobs_at_once_give_the_same_clips_as_one_by_one_and_each_image_is_prepared_once(
    cache_dir: Path, tiny: TinyFiles, started: Started, tmp_path: Path
) -> None:
    events: asyncio.Queue[FromWorker] = asyncio.Queue()
    dispatcher = Dispatcher([WorkerConfig(cache_dir)], Limits(), events.put_nowait, program_of("notes_its_images"))
    rig = Rig(dispatcher, events, tmp_path)
    dispatcher.start()
    await rig.told(Ready)
    images = [tmp_path / f"{name}.png" for name in ("a", "b", "missing", "d")]
    for image in images:
        if image.stem != "missing":
            Image.effect_noise((300, 200), 90).save(image)

    one_by_one = []
    for image in images:
        one_by_one.append(rig.submit(image.stem, None, Keyframe(image)))
        await outcome(one_by_one[-1])
    at_once = [rig.submit(image.stem, None, Keyframe(image)) for image in images]

    for jobs in (one_by_one, at_once):
        assert [await outcome(job) for job in jobs] == ["done", "done", "RenderRefused", "done"]
        with pytest.raises(RenderRefused, match="the image file cannot be read: No such file"):
            await jobs[2].ended
    for number in (0, 1, 3):
        assert at_once[number].path.read_bytes() == one_by_one[number].path.read_bytes()
    # Of one by one, then of those at once; the missing image is prepared again, for its error.
    threads = [images[number].with_suffix(".threads").read_text().split() for number in (0, 1, 3)]
    assert threads[0] == ["MainThread"] * 2
    assert [len(each) for each in threads] == [2, 2, 2]
    assert "preparing_0" in (threads[1][1], threads[2][1])
    dispatcher.stop()
    await dispatcher.stopped()
    assert started() == []
