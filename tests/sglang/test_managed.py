"""A real managed SGLang: its start, its death and its end."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhanceRequest, EnhancerLimits
from enhancer.sglang import Sglang, SglangOptions
from enhancer.sglang_process import ManagedSglang, ManagedState, ManagedStatus
from tests.sglang.on_cpu import cpu_options, sglang_python

pytestmark = pytest.mark.sglang

REQUESTS = [EnhanceRequest(f"a red fox runs through deep snow, take {i}") for i in range(3)]


def processes() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def first_of(started: Iterable[psutil.Process]) -> psutil.Process:
    """Return SGLang's main process: not the guard, whose command has the same words, and not its children."""
    start = [str(sglang_python()), "-P", "-m", "sglang.launch_server"]
    (process,) = (process for process in started if process.cmdline()[:4] == start)
    return process


async def test_sglang_is_restarted_after_its_death_and_leaves_nothing(tiny_llama: Path) -> None:
    before = processes()
    states: asyncio.Queue[ManagedState] = asyncio.Queue()
    managed = ManagedSglang(cpu_options(tiny_llama), states.put_nowait)
    enhancer = Enhancer(Sglang(SglangOptions(managed.url, timeout_s=120)), limits=EnhancerLimits(backoff_s=(0.0,)))
    try:
        managed.start()
        await managed.wait_until_ready()
        await enhancer.check_ready()
        first = await enhancer.enhance(REQUESTS[0])
        assert "does not answer" not in str(first.notes)

        rewriting = asyncio.create_task(enhancer.enhance(REQUESTS[1]))
        await enhancer.check_ready()  # the rewrite runs meanwhile
        server = first_of(set(processes()) - set(before))
        server.kill()
        failed = await rewriting
        assert (failed.prompt, failed.enhanced) == (REQUESTS[1].prompt, False)
        assert failed.notes == ("the prompt was used as it came: the prompt enhancer does not answer",)

        while (state := await states.get()).status is not ManagedStatus.RESTARTING:
            pass
        assert state.reason == "the prompt enhancer's language model ended with signal 9"
        await managed.wait_until_ready()
        assert managed.state.restarts == 1
        again = await enhancer.enhance(REQUESTS[2])
        assert "does not answer" not in str(again.notes)
    finally:
        await managed.aclose()
        await enhancer.aclose()
    assert managed.state.status is ManagedStatus.CLOSED
    assert set(processes()) <= set(before)
