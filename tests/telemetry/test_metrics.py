"""Metrics of jobs, with workers that end them in every way."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.telemetry.metrics import Metrics, StepTimes
from server.worker.messages import Progress, Ready
from tests.jobs.conftest import Dispatching, Rig, outcome


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a sample's value as a scraper reads it, or None."""
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if (sample.name, sample.labels) == (name, labels):
                return sample.value
    return None


def jobs(rig: Rig, how: str) -> float | None:
    return value(rig.metrics, "ltx23_jobs_total", outcome=how)


async def test_every_outcome_is_exported_before_it_happens(dispatching: Dispatching) -> None:
    async with dispatching("behaves") as rig:
        ways = ["done", "refused", "render_failed", "out_of_memory", "deadline_exceeded", "cancelled", "not_ready"]
        assert [jobs(rig, way) for way in ways] == [0] * 7
        assert value(rig.metrics, "ltx23_worker_kills_total", reason="deadline_exceeded") == 0


async def test_a_clip_is_counted_with_its_frames_wait_and_stages(dispatching: Dispatching) -> None:
    async with dispatching("behaves") as rig:
        await rig.told(Ready)
        assert [await outcome(rig.submit()) for _ in range(2)] == ["done"] * 2

        assert jobs(rig, "done") == 2
        assert value(rig.metrics, "ltx23_frames_rendered_total") == 18
        assert value(rig.metrics, "ltx23_queue_wait_seconds_count") == 2
        for stage in ("encode", "denoise", "decode", "mux"):
            assert value(rig.metrics, "ltx23_stage_seconds_count", stage=stage) == 2


@pytest.mark.parametrize(
    ("prompt", "how"), [("invalid", "refused"), ("fail", "render_failed"), ("large", "out_of_memory")]
)
async def test_a_failure_is_counted_by_its_kind_and_not_as_a_clip(
    dispatching: Dispatching, prompt: str, how: str
) -> None:
    async with dispatching("refuses") as rig:
        await rig.told(Ready)
        await outcome(rig.submit(prompt))

        assert (jobs(rig, how), jobs(rig, "done")) == (1, 0)
        assert value(rig.metrics, "ltx23_frames_rendered_total") == 0


async def test_a_cancelled_job_is_counted_and_one_that_never_ran_has_no_wait(dispatching: Dispatching) -> None:
    async with dispatching("cancels") as rig:
        await rig.told(Ready)
        running, waiting = rig.submit("long"), rig.submit("waiting")
        await running.begun.wait()
        for job in (waiting, running):
            rig.dispatcher.cancel(job)
            await outcome(job)

        assert jobs(rig, "cancelled") == 2
        assert value(rig.metrics, "ltx23_queue_wait_seconds_count") == 1
        assert value(rig.metrics, "ltx23_worker_kills_total", reason="cancelled") == 0


async def test_a_worker_killed_at_the_deadline_is_counted(dispatching: Dispatching) -> None:
    async with dispatching("hangs_in_a_step", deadline_s=0.05, grace_s=0.05) as rig:
        await rig.told(Ready)
        await outcome(rig.submit("hang"))

        assert jobs(rig, "deadline_exceeded") == 1
        assert value(rig.metrics, "ltx23_worker_kills_total", reason="deadline_exceeded") == 1


async def test_a_job_whose_future_is_cancelled_is_counted(dispatching: Dispatching) -> None:
    async with dispatching("cancels") as rig:
        await rig.told(Ready)
        job = rig.submit("long")
        job.ended.cancel()
        await asyncio.wait([job.ended])

        assert jobs(rig, "cancelled") == 1
        rig.dispatcher.cancel(job)


def test_steps_of_several_workers_are_measured_separately() -> None:
    now = 0.0
    steps = StepTimes(lambda: now)
    measured = []
    for now, job, step in ((0.0, "a", 0), (1.0, "b", 0), (4.0, "a", 1), (6.0, "b", 1), (7.0, "a", 2)):  # noqa: B007
        measured.append(steps.measure(Progress(job, "stage_1", step, 8)))
    assert measured == [None, None, 4.0, 5.0, 3.0]

    steps.forget("a")
    assert steps.measure(Progress("a", "stage_1", 3, 8)) is None
