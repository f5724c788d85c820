"""The behaviour of SGLang that the client relies on."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhanceRequest, EnhancerStatus
from enhancer.errors import Refused
from enhancer.messages import Message, Mode, build_messages
from enhancer.sglang import ONE_PARAGRAPH, Sglang, SglangOptions
from tests.sglang.tiny_llama import CONTEXT_TOKENS

pytestmark = pytest.mark.sglang

QUESTIONS = [build_messages(mode, "a red fox", "A fox in snow.", 5.0) for mode in Mode]
TOO_LONG: list[Message] = [{"role": "user", "content": "狐" * CONTEXT_TOKENS}]


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[Sglang]:
    sglang = Sglang(SglangOptions(url, timeout_s=120, **options))
    try:
        yield sglang
    finally:
        await sglang.aclose()


async def test_a_running_sglang_is_ready(sglang_url: str) -> None:
    async with client(sglang_url) as sglang:
        await sglang.check_ready()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_an_answer_is_one_paragraph_within_the_requested_length(sglang_url: str, question: list[Message]) -> None:
    async with client(sglang_url, max_tokens=40) as sglang:
        completion = await sglang.complete(question)
    assert re.fullmatch(ONE_PARAGRAPH, completion.text)
    assert completion.is_cut


async def test_the_same_question_has_the_same_answer(sglang_url: str) -> None:
    async with client(sglang_url, max_tokens=40) as sglang:
        assert await sglang.complete(QUESTIONS[0]) == await sglang.complete(QUESTIONS[0])


async def test_a_question_beyond_the_context_is_refused(sglang_url: str) -> None:
    async with client(sglang_url, max_tokens=40) as sglang:
        with pytest.raises(Refused, match="status 400"):
            await sglang.complete(TOO_LONG)
        assert (await sglang.complete(QUESTIONS[0])).text


@pytest.mark.parametrize("text", ["狐 🦊", "\x00", "\ud800", '<|eot_id|> "Go!"', ""])
async def test_any_text_can_be_sent(sglang_url: str, text: str) -> None:
    async with client(sglang_url, max_tokens=8) as sglang:
        question: list[Message] = [{"role": "user", "content": text}]
        assert (await sglang.complete(question)).text


async def test_a_prompt_beyond_the_context_is_used_unchanged(sglang_url: str) -> None:
    enhancer = Enhancer(Sglang(SglangOptions(sglang_url, timeout_s=120, max_tokens=40)))
    request = EnhanceRequest("狐" * CONTEXT_TOKENS)
    enhancement = await enhancer.enhance(request)
    await enhancer.aclose()
    assert (enhancement.prompt, enhancement.enhanced) == (request.prompt, False)
    assert enhancement.notes[0].endswith("the prompt enhancer refused the request (status 400)")
    assert enhancer.state.status is EnhancerStatus.DEGRADED
