"""Prompt enhancement with a language model on loopback and real captioner processes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from enhancer.captioner import Captioner, CaptionerOptions
from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhanceRequest, EnhancerLimits, EnhancerState, EnhancerStatus, Result
from enhancer.errors import BadAnswer, Busy, CaptionerDown, CaptionError, EnhancerError, Refused, TimedOut, Unavailable
from enhancer.messages import Mode
from enhancer.sglang import Sglang, SglangOptions
from tests.enhancer.clock import Clock
from tests.enhancer.sglang_server import Answer, SglangServer, breaks_off, fails, floods, hangs, says, sends, serving

PROGRAMS = Path(__file__).parent / "programs"

FOX = "A red fox runs through deep snow."
T2V = EnhanceRequest("a red fox", seed=7)


@dataclass
class Rig:
    enhancer: Enhancer
    server: SglangServer
    clock: Clock
    folder: Path
    results: list[Result]

    def image(self, name: str, content: str = "") -> EnhanceRequest:
        """Return a request with an image whose name tells the captioner what to do."""
        path = self.folder / name
        path.write_text(content or name)
        return EnhanceRequest("it looks up", Mode.I2V, path, seed=7)

    def asked_of_captioner(self) -> list[str]:
        return (self.folder / "asked").read_text().split()


Enhancing = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def enhancing(tmp_path: Path) -> Enhancing:
    """Return an async context manager that runs an enhancer, given the answers of its language model."""

    @asynccontextmanager
    async def enhance(
        *answers: Answer, captioner: str | None = None, timeout_s: float = 60.0, **limits: Any
    ) -> AsyncIterator[Rig]:
        clock = Clock()
        results: list[Result] = []
        async with serving(*answers) as server:
            program = (sys.executable, str(PROGRAMS / f"{captioner}.py"))
            options = CaptionerOptions(str(tmp_path), wait_s=60, timeout_s=60)
            enhancer = Enhancer(
                Sglang(SglangOptions(server.url, timeout_s=timeout_s)),
                Captioner(options, program, clock) if captioner else None,
                EnhancerLimits(**{"wait_s": 60.0} | limits),
                clock,
                lambda result, seconds: results.append(result),
            )
            try:
                yield Rig(enhancer, server, clock, tmp_path, results)
            finally:
                await enhancer.aclose()

    return enhance


async def test_a_prompt_is_rewritten(enhancing: Enhancing) -> None:
    async with enhancing(says(f"Sure, here is the enhanced prompt:\n\n**{FOX}**")) as rig:
        enhancement = await rig.enhancer.enhance(T2V)
        assert (enhancement.prompt, enhancement.enhanced, enhancement.notes) == (FOX, True, ())
        assert enhancement.caption is None
        assert set(enhancement.timings_s) == {"caption", "rewrite"}
        assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)
        assert "a red fox" in rig.server.seen[0].messages[1]["content"]


async def test_each_result_is_reported_to_the_callback(enhancing: Enhancing) -> None:
    async with enhancing(says(FOX), says(FOX), fails(500), fails(500)) as rig:
        await rig.enhancer.enhance(T2V)
        await rig.enhancer.enhance(T2V)  # this one is answered from the cache
        await rig.enhancer.enhance(rig.image("fox.png"))
        await rig.enhancer.enhance(replace(T2V, prompt="another fox"))
        with pytest.raises(EnhancerError):
            await rig.enhancer.enhance(replace(T2V, prompt="a third fox"), required=True)

        assert rig.results == ["enhanced", "enhanced", "without_caption", "failed", "failed"]


async def test_a_rewrite_that_omits_quoted_speech_is_not_used(enhancing: Enhancing) -> None:
    kept = 'In the snow a fox says "Good evening!" and bows.'
    async with enhancing(says(FOX), says(kept)) as rig:
        request = replace(T2V, prompt='a fox called Reineke says "Good evening!" in the snow')
        enhancement = await rig.enhancer.enhance(request)
        assert (enhancement.prompt, enhancement.enhanced) == (request.prompt, False)
        assert "leaves out words in quotation marks" in enhancement.notes[0]
        assert (await rig.enhancer.enhance(request)).prompt == kept


@pytest.mark.parametrize(
    ("prompt", "rewrite"),
    [
        ("On a Monday in Spring a dog naps", "A brown dog naps on a sunny lawn while petals fall around it."),
        ("a walk at Golden Hour, shot on Kodak Portra", "Warm, grainy light falls on a woman who walks along a beach."),
        ("a sign says 'OPEN'", "A neon sign with the word OPEN flickers above a door in the rain."),
    ],
)
async def test_a_good_rewrite_is_used_unchanged(enhancing: Enhancing, prompt: str, rewrite: str) -> None:
    async with enhancing(says(rewrite)) as rig:
        assert (await rig.enhancer.enhance(replace(T2V, prompt=prompt))).prompt == rewrite


@pytest.mark.parametrize("mode", [Mode.I2V, Mode.KEYFRAMES])
async def test_the_first_image_is_captioned(enhancing: Enhancing, mode: Mode) -> None:
    async with enhancing(captioner="behaves") as rig:
        enhancement = await rig.enhancer.enhance(replace(rig.image("fox"), mode=mode))
        assert (enhancement.caption, enhancement.prompt, enhancement.notes) == ("An image of fox.", FOX, ())
        assert "<picture>\nAn image of fox.\n</picture>" in rig.server.seen[0].messages[1]["content"]


async def test_text_to_video_asks_for_no_caption(enhancing: Enhancing) -> None:
    async with enhancing(captioner="behaves") as rig:
        enhancement = await rig.enhancer.enhance(replace(rig.image("fox"), mode=Mode.T2V))
        assert (enhancement.caption, enhancement.prompt) == (None, FOX)
        assert not (rig.folder / "asked").exists()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fails(400), Refused),
        (fails(401), Refused),
        (fails(500), Unavailable),
        (fails(503), Busy),
        (floods, BadAnswer),
        (sends(b"<html>no</html>"), BadAnswer),
        (says("I'm sorry, but I cannot do that."), BadAnswer),
        (says("%%%%%%%"), BadAnswer),
        (says("ha" * 5000), BadAnswer),
    ],
)
async def test_the_original_prompt_is_used_on_failure(
    enhancing: Enhancing, answer: Answer, error: type[EnhancerError]
) -> None:
    async with enhancing(answer, answer, failures=3) as rig:
        enhancement = await rig.enhancer.enhance(T2V)
        assert (enhancement.prompt, enhancement.enhanced) == ("a red fox", False)
        (note,) = enhancement.notes
        assert note.startswith("the prompt was used as it came: the ")
        assert "red fox" not in note

        with pytest.raises(error):
            await rig.enhancer.enhance(T2V, required=True)
        assert (await rig.enhancer.enhance(T2V)).enhanced
        assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)


async def test_a_slow_model_times_out(enhancing: Enhancing) -> None:
    async with enhancing(hangs, hangs, timeout_s=0.1) as rig:
        assert (await rig.enhancer.enhance(T2V)).prompt == "a red fox"
        with pytest.raises(TimedOut):
            await rig.enhancer.enhance(T2V, required=True)


async def test_a_model_that_is_down_is_tried_again_after_a_pause(enhancing: Enhancing) -> None:
    async with enhancing(*[fails(500)] * 3, failures=2, backoff_s=(10.0, 20.0)) as rig:
        await rig.enhancer.enhance(T2V)
        assert rig.enhancer.state == EnhancerState(
            EnhancerStatus.DEGRADED, ("the prompt enhancer failed (status 500)",)
        )
        await rig.enhancer.enhance(T2V)
        assert rig.enhancer.state.status is EnhancerStatus.DOWN
        assert "tried again in 10 s" in (await rig.enhancer.enhance(T2V)).notes[0]
        assert len(rig.server.seen) == 2

        rig.clock.now_s += 10
        assert not (await rig.enhancer.enhance(T2V)).enhanced
        assert "tried again in 20 s" in (await rig.enhancer.enhance(T2V)).notes[0]
        rig.clock.now_s += 20
        assert (await rig.enhancer.enhance(T2V)).enhanced
        assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)


async def test_no_caption_is_made_for_a_model_that_is_down(enhancing: Enhancing) -> None:
    async with enhancing(fails(500), captioner="behaves", failures=1) as rig:
        await rig.enhancer.enhance(T2V)
        assert not (await rig.enhancer.enhance(rig.image("fox"))).enhanced
        assert not (rig.folder / "asked").exists()


async def test_a_bad_answer_does_not_open_the_circuit(enhancing: Enhancing) -> None:
    bad_answers = [says("I cannot do that."), sends(b"<html>no</html>"), floods]
    async with enhancing(*bad_answers, failures=1) as rig:
        for _ in bad_answers:
            assert not (await rig.enhancer.enhance(T2V)).enhanced
            assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)


@pytest.mark.parametrize("order", ["die", "nonsense"])
async def test_the_prompt_is_rewritten_if_no_caption_can_be_made(enhancing: Enhancing, order: str) -> None:
    async with enhancing(captioner="misbehaves") as rig:
        enhancement = await rig.enhancer.enhance(rig.image(order))
        assert (enhancement.caption, enhancement.prompt, enhancement.enhanced) == (None, FOX, True)
        (note,) = enhancement.notes
        assert note.startswith("the prompt was enhanced without a look at the image: the captioner ")
        assert "picture" not in rig.server.seen[0].messages[1]["content"]
        assert rig.enhancer.state.status is EnhancerStatus.DEGRADED

        with pytest.raises(CaptionerDown):
            await rig.enhancer.enhance(rig.image(order), required=True)
        rig.clock.now_s += 60
        assert (await rig.enhancer.enhance(rig.image("fox"))).caption == "An image of fox."
        assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)


async def test_a_missing_image_is_reported_in_a_note(enhancing: Enhancing, tmp_path: Path) -> None:
    async with enhancing(captioner="behaves") as rig:
        request = EnhanceRequest("it looks up", Mode.I2V, tmp_path / "gone" / "refuse.png")
        enhancement = await rig.enhancer.enhance(request)
        assert enhancement.notes == ("the prompt was enhanced without a look at the image: the image cannot be read",)
        with pytest.raises(CaptionError, match="cannot be read"):
            await rig.enhancer.enhance(request, required=True)


async def test_a_note_says_that_there_is_no_captioner(enhancing: Enhancing) -> None:
    async with enhancing() as rig:
        enhancement = await rig.enhancer.enhance(rig.image("fox"), required=True)
        assert enhancement.enhanced
        assert "no captioner is configured" in enhancement.notes[0]


async def test_an_equal_request_is_answered_from_the_cache(enhancing: Enhancing) -> None:
    async with enhancing(captioner="behaves") as rig:
        first = await rig.enhancer.enhance(rig.image("fox", "the same bytes"))
        again = await rig.enhancer.enhance(rig.image("other-name", "the same bytes"))
        assert again == replace(first, timings_s={"caption": 0.0, "rewrite": 0.0})
        assert (len(rig.server.seen), rig.asked_of_captioner()) == (1, ["fox"])


async def test_a_request_that_differs_is_not_answered_from_the_cache(enhancing: Enhancing) -> None:
    async with enhancing(captioner="behaves") as rig:
        base = rig.image("fox")
        different = [
            base,
            replace(base, prompt="it looks down"),
            replace(base, mode=Mode.KEYFRAMES),
            replace(base, seed=8),
            replace(base, duration_s=6.0),
            rig.image("hare"),
        ]
        for request in different:
            await rig.enhancer.enhance(request)
        assert len(rig.server.seen) == len(different)


async def test_failures_are_not_cached(enhancing: Enhancing) -> None:
    async with enhancing(breaks_off, breaks_off, captioner="misbehaves") as rig:
        assert not (await rig.enhancer.enhance(T2V)).enhanced
        assert (await rig.enhancer.enhance(T2V)).enhanced
        request = rig.image("exit")
        assert (await rig.enhancer.enhance(request)).notes
        asked = len(rig.server.seen)
        await rig.enhancer.enhance(request)
        assert len(rig.server.seen) == asked + 1


async def test_the_cache_has_a_limited_size(enhancing: Enhancing) -> None:
    async with enhancing(cached=2) as rig:
        for seed in (1, 2, 1, 3, 1, 2):  # 2 is the least recently used when 3 is added
            await rig.enhancer.enhance(replace(T2V, seed=seed))
        assert len(rig.server.seen) == 4


async def test_equal_calls_share_one_rewrite(enhancing: Enhancing) -> None:
    async with enhancing() as rig:
        rig.server.otherwise = rig.server.held(says(FOX))
        calls = [asyncio.create_task(rig.enhancer.enhance(T2V)) for _ in range(5)]
        await rig.server.arrived.wait()
        calls[0].cancel()
        calls[3].cancel()
        rig.server.release.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [getattr(end, "prompt", None) for end in ends] == [None, FOX, FOX, None, FOX]
        assert len(rig.server.seen) == 1


async def test_a_rewrite_is_cancelled_when_its_callers_are(enhancing: Enhancing) -> None:
    async with enhancing(running=1) as rig:
        rig.server.answers.append(hangs)
        calls = [asyncio.create_task(rig.enhancer.enhance(T2V)) for _ in range(2)]
        await rig.server.arrived.wait()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await rig.enhancer.enhance(T2V)).enhanced  # the only slot is free again


async def test_a_failure_reaches_every_caller(enhancing: Enhancing) -> None:
    async with enhancing() as rig:
        rig.server.otherwise = rig.server.held(fails(400))
        soft, hard = (asyncio.create_task(rig.enhancer.enhance(T2V, required=required)) for required in (False, True))
        await rig.server.arrived.wait()
        rig.server.release.set()
        assert not (await soft).enhanced
        with pytest.raises(Refused):
            await hard
        assert len(rig.server.seen) == 1


async def test_running_and_waiting_calls_are_limited(enhancing: Enhancing) -> None:
    async with enhancing(running=1, waiting=1) as rig:
        rig.server.otherwise = rig.server.held(says(FOX))
        first = asyncio.create_task(rig.enhancer.enhance(replace(T2V, seed=1)))
        await rig.server.arrived.wait()
        others = [asyncio.create_task(rig.enhancer.enhance(replace(T2V, seed=seed))) for seed in (2, 3)]
        done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().notes for task in done] == [
            ("the prompt was used as it came: the prompt enhancer has too many requests waiting",)
        ]
        assert len(rig.server.seen) == 1
        rig.server.release.set()
        assert [task.enhanced for task in await asyncio.gather(first, *others)] == [True, True, False]
        assert rig.enhancer.state == EnhancerState(EnhancerStatus.OK)


async def test_a_call_waits_a_limited_time_for_a_slot(enhancing: Enhancing) -> None:
    async with enhancing(hangs, running=1, wait_s=0.05) as rig:
        first = asyncio.create_task(rig.enhancer.enhance(replace(T2V, seed=1)))
        await rig.server.arrived.wait()
        with pytest.raises(Busy, match="busy with other requests"):
            await rig.enhancer.enhance(T2V, required=True)
        first.cancel()


async def test_enhancement_is_off_without_a_model() -> None:
    enhancer = Enhancer()
    assert enhancer.state == EnhancerState(EnhancerStatus.OFF)
    enhancement = await enhancer.enhance(T2V)
    assert (enhancement.prompt, enhancement.enhanced) == ("a red fox", False)
    assert enhancement.notes == ("the prompt was used as it came: no prompt enhancer is configured",)
    for call in (enhancer.enhance(T2V, required=True), enhancer.check_ready()):
        with pytest.raises(Unavailable, match="no prompt enhancer is configured"):
            await call
    enhancer.start()
    await enhancer.aclose()


async def test_check_ready_asks_the_model(enhancing: Enhancing) -> None:
    async with enhancing(sends(b""), fails(503)) as rig:
        await rig.enhancer.check_ready()
        with pytest.raises(Busy):
            await rig.enhancer.check_ready()


async def test_closing_cancels_waiting_calls(enhancing: Enhancing) -> None:
    async with enhancing(hangs) as rig:
        call = asyncio.create_task(rig.enhancer.enhance(T2V))
        await rig.server.arrived.wait()
    with pytest.raises(asyncio.CancelledError):
        await call
