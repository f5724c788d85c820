"""The captioner with real processes that each fail in one way. An image's name tells the program what to do."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from enhancer.captioner import MAX_WAITING, Captioner, CaptionerOptions, CaptionerState
from enhancer.errors import Busy, CaptionerDown, CaptionError, Unavailable
from tests.enhancer.clock import Clock
from tests.jobs.conftest import Started, has_ended

PROGRAMS = Path(__file__).parent / "programs"

Captioning = Callable[..., AbstractAsyncContextManager[Captioner]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def captioning(tmp_path: Path, clock: Clock) -> Captioning:
    """Return an async context manager that runs a captioner, given the name of its program and options."""

    @asynccontextmanager
    async def caption(name: str, **options: Any) -> AsyncIterator[Captioner]:
        patient = {"timeout_s": 60.0, "wait_s": 60.0} | options
        program = (sys.executable, str(PROGRAMS / f"{name}.py"))
        captioner = Captioner(CaptionerOptions(str(tmp_path), **patient), program, clock)
        try:
            yield captioner
        finally:
            await captioner.aclose()

    return caption


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().split()


def state(captioner: Captioner) -> CaptionerState:
    return captioner.state


async def test_a_process_is_started_for_the_first_caption(captioning: Captioning) -> None:
    async with captioning("behaves") as captioner:
        assert state(captioner) is CaptionerState.IDLE
        assert await captioner.caption(Path("fox.png")) == "An image of fox."
        assert state(captioner) is CaptionerState.READY
    assert state(captioner) is CaptionerState.IDLE


async def test_the_process_can_be_started_before_the_first_caption(captioning: Captioning) -> None:
    async with captioning("behaves") as captioner:
        captioner.start()
        captioner.start()
        assert state(captioner) is CaptionerState.LOADING
        assert await captioner.caption(Path("fox.png")) == "An image of fox."


async def test_one_process_makes_captions_one_after_another(captioning: Captioning, tmp_path: Path) -> None:
    async with captioning("behaves") as captioner:
        names = [f"image{i}" for i in range(MAX_WAITING)]
        captions = await asyncio.gather(*(captioner.caption(Path(name)) for name in names))
        assert captions == [f"An image of {name}." for name in names]
    assert asked(tmp_path) == names


async def test_an_image_that_cannot_be_read_is_not_a_failure_of_the_captioner(captioning: Captioning) -> None:
    async with captioning("behaves") as captioner:
        with pytest.raises(CaptionError, match="the image cannot be read"):
            await captioner.caption(Path("refuse.png"))
        assert state(captioner) is CaptionerState.READY
        assert captioner.failure is None


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        *((order, "has ended") for order in ("die", "exit", "half")),
        *(
            (order, "invalid response")
            for order in ("nonsense", "list", "deep", "bytes", "number", "typeless", "flood")
        ),
    ],
)
async def test_a_broken_process_is_replaced(captioning: Captioning, order: str, reason: str) -> None:
    async with captioning("misbehaves") as captioner:
        with pytest.raises(CaptionerDown, match=reason):
            await captioner.caption(Path(order))
        assert state(captioner) is CaptionerState.FAILED
        assert await captioner.caption(Path("fox")) == "An image of fox."
        assert captioner.failure is None


async def test_answers_without_a_request_are_invalid(captioning: Captioning) -> None:
    async with captioning("misbehaves") as captioner:
        assert await captioner.caption(Path("flood-lines")) == "An image of flood-lines."
        with pytest.raises(CaptionerDown, match="invalid response"):
            await captioner.caption(Path("fox"))
        assert await captioner.caption(Path("fox")) == "An image of fox."


async def test_a_process_that_hangs_is_killed(captioning: Captioning, started: Started) -> None:
    async with captioning("misbehaves", timeout_s=0.5) as captioner:
        await captioner.caption(Path("fox"))
        (process,) = started()
        with pytest.raises(CaptionerDown, match="longer than"):
            await captioner.caption(Path("hang"))
        assert await asyncio.to_thread(has_ended, process)
        assert await captioner.caption(Path("fox")) == "An image of fox."


async def test_a_process_that_exits_between_captions_is_replaced_without_an_error(
    captioning: Captioning, started: Started
) -> None:
    async with captioning("misbehaves") as captioner:
        assert await captioner.caption(Path("leave")) == "An image of leave."
        (process,) = started()
        await asyncio.to_thread(has_ended, process)
        assert await captioner.caption(Path("fox")) == "An image of fox."
        assert captioner.failure is None


async def test_a_process_that_was_just_killed_is_replaced_without_an_error(
    captioning: Captioning, started: Started
) -> None:
    async with captioning("behaves") as captioner:
        await captioner.caption(Path("fox"))
        (process,) = started()
        process.kill()
        assert has_ended(process)  # and the event loop has not run since
        assert await captioner.caption(Path("fox")) == "An image of fox."


async def test_each_failure_delays_the_next_process(captioning: Captioning, clock: Clock, tmp_path: Path) -> None:
    async with captioning("dies_at_start") as captioner:
        for _ in range(2):
            with pytest.raises(CaptionerDown, match="has ended"):
                await captioner.caption(Path("fox"))
        with pytest.raises(Unavailable, match="tried again in 1 s"):
            await captioner.caption(Path("fox"))
        clock.now_s += 1
        assert await captioner.caption(Path("fox")) == "An image of fox."
    assert (tmp_path / "lives").read_text() == "III"


async def test_the_error_for_a_missing_model_omits_its_path(
    captioning: Captioning, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with captioning("cannot_load") as captioner:
        with pytest.raises(CaptionerDown, match=r"^the captioner cannot load its model$"):
            await captioner.caption(Path("fox"))
    assert f"{tmp_path}/secret is no Florence-2" in caplog.text


async def test_a_caption_waits_a_limited_time_for_the_model(captioning: Captioning) -> None:
    async with captioning("never_ready", wait_s=0.05) as captioner:
        with pytest.raises(CaptionError, match="still loading"):
            await captioner.caption(Path("fox"))
        assert state(captioner) is CaptionerState.LOADING


async def test_a_model_that_does_not_load_in_time_is_a_failure(captioning: Captioning) -> None:
    async with captioning("never_ready", load_timeout_s=0.05) as captioner:
        with pytest.raises(CaptionerDown, match="does not load within"):
            await captioner.caption(Path("fox"))
        assert state(captioner) is CaptionerState.FAILED


async def test_closing_ends_the_processs_children(captioning: Captioning, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pids")
    async with captioning("never_ready") as captioner:
        captioner.start()
        grandchild = psutil.Process(int(await asyncio.to_thread((tmp_path / "pids").read_text)))
    assert await asyncio.to_thread(has_ended, grandchild)
    with pytest.raises(CaptionerDown, match="closed"):
        await captioner.caption(Path("fox"))


async def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    captioner = Captioner(CaptionerOptions(), (str(tmp_path / "no-such-python"),))
    with pytest.raises(CaptionerDown, match="cannot be started"):
        await captioner.caption(Path("fox"))
    await captioner.aclose()


async def test_waiting_captions_are_limited_in_number_and_time(captioning: Captioning, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fox")
    async with captioning("waits_for_leave") as captioner:
        running = [asyncio.create_task(captioner.caption(Path("fox"))) for _ in range(MAX_WAITING + 1)]
        go = await asyncio.to_thread(os.open, tmp_path / "fox", os.O_WRONLY)  # the first is being made
        with pytest.raises(Busy, match="too many"):
            await captioner.caption(Path("fox"))
        for task in running[1:]:
            task.cancel()
        os.close(go)
        assert await running[0] == "An image of fox."


async def test_the_caption_of_a_cancelled_call_is_not_given_to_the_next(captioning: Captioning, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "first")
    os.mkfifo(tmp_path / "second")
    async with captioning("waits_for_leave") as captioner:
        first = asyncio.create_task(captioner.caption(Path("first")))
        go = await asyncio.to_thread(os.open, tmp_path / "first", os.O_WRONLY)
        first.cancel()
        second = asyncio.create_task(captioner.caption(Path("second")))
        os.close(go)
        os.close(await asyncio.to_thread(os.open, tmp_path / "second", os.O_WRONLY))
        assert await second == "An image of second."
        assert first.cancelled()


async def test_closing_ends_captions_in_progress(captioning: Captioning, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fox")
    async with captioning("waits_for_leave") as captioner:
        captions = [asyncio.create_task(captioner.caption(Path("fox"))) for _ in range(2)]
        go = await asyncio.to_thread(os.open, tmp_path / "fox", os.O_WRONLY)
    os.close(go)
    ends = await asyncio.gather(*captions, return_exceptions=True)
    assert [type(end) for end in ends] == [CaptionerDown, CaptionerDown]
