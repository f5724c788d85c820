"""Enhance a prompt: caption, rewrite, and the handling of failures. This is the package's entry."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from enhancer.breaker import Breaker, Circuit
from enhancer.cache import Cache
from enhancer.captioner import Captioner
from enhancer.clean import clean
from enhancer.enhancement import (
    Enhancement,
    EnhanceRequest,
    EnhancerLimits,
    EnhancerState,
    EnhancerStatus,
    Result,
    zero_timings_s,
)
from enhancer.errors import BadAnswer, EnhancerError, Unavailable
from enhancer.messages import Message, Mode, build_messages
from enhancer.quotes import lost_quotes
from enhancer.sglang import NAME, Completion, Sglang
from enhancer.slots import Slots

log = logging.getLogger("ltx23.enhancer")


@dataclass(frozen=True)
class _Key:
    prompt: str
    mode: Mode
    image_sha256: str | None
    seed: int
    duration_s: float
    models: tuple[str | None, str | None]


@dataclass(frozen=True)
class _Outcome:
    """failure: the caption's; a rewrite without a caption is used but not cached."""

    enhancement: Enhancement
    failure: EnhancerError | None = None


class Enhancer:
    """Off without a language model; without a captioner, images are not described. Owns both and closes them.

    `on_result` is called with the result of each prompt and the seconds it took.
    """

    def __init__(
        self,
        sglang: Sglang | None = None,
        captioner: Captioner | None = None,
        limits: EnhancerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_result: Callable[[Result, float], None] = lambda result, seconds: None,
    ) -> None:
        limits = limits or EnhancerLimits()
        self._sglang, self._captioner = sglang, captioner
        self._models = (sglang.model if sglang else None, captioner.model if captioner else None)
        self._breaker = Breaker(NAME, limits.failures, limits.backoff_s, clock)
        self._slots = Slots(NAME, limits.running, limits.waiting, limits.wait_s)
        self._cache: Cache[_Key, _Outcome] = Cache(limits.cached, lambda outcome: outcome.failure is None)
        self._last_failure: str | None = None
        self._clock, self._on_result = clock, on_result

    async def enhance(self, request: EnhanceRequest, *, required: bool = False) -> Enhancement:
        """Enhance a prompt; failures become notes. With `required`, raises EnhancerError instead."""
        begun = self._clock()
        try:
            outcome = await self._outcome(request)
            if required and outcome.failure is not None:
                raise outcome.failure
        except EnhancerError as exc:
            self._on_result(Result.FAILED, self._clock() - begun)
            if required:
                raise
            log.warning("a prompt was not enhanced: %s", exc)
            return Enhancement(request.prompt, notes=(f"the prompt was used as it came: {exc}",))
        result = Result.WITHOUT_CAPTION if outcome.enhancement.notes else Result.ENHANCED
        self._on_result(result, self._clock() - begun)
        return outcome.enhancement

    @property
    def state(self) -> EnhancerState:
        """Return the state as known, without asking anyone."""
        if self._sglang is None:
            return EnhancerState(EnhancerStatus.OFF)
        failures = (self._last_failure, self._captioner.failure if self._captioner else None)
        reasons = tuple(filter(None, failures))
        if self._breaker.circuit is Circuit.OPEN:
            return EnhancerState(EnhancerStatus.DOWN, reasons)
        return EnhancerState(EnhancerStatus.DEGRADED if reasons else EnhancerStatus.OK, reasons)

    def start(self) -> None:
        """Load the captioner's model now instead of for the first image."""
        if self._captioner is not None:
            self._captioner.start()

    async def check_ready(self) -> None:
        """Ask the language model's server. Raises EnhancerError unless it can answer."""
        if self._sglang is None:
            raise Unavailable("no prompt enhancer is configured")
        await self._sglang.check_ready()

    async def aclose(self) -> None:
        """Close everything; cancel everyone who still waits."""
        await self._cache.aclose()
        if self._captioner is not None:
            await self._captioner.aclose()
        if self._sglang is not None:
            await self._sglang.aclose()

    async def _outcome(self, request: EnhanceRequest) -> _Outcome:
        if self._sglang is None:
            raise Unavailable("no prompt enhancer is configured")
        key = await self._key(request)
        known = self._cache.find(key)
        if known is not None:
            return replace(known, enhancement=replace(known.enhancement, timings_s=zero_timings_s()))
        return await self._cache.share(key, lambda: self._make(request))

    async def _key(self, request: EnhanceRequest) -> _Key:
        """Return the cache key. An image counts by its bytes: clients send the same one in different files."""
        image_sha256 = None
        if self._image_to_caption(request) is not None:
            image_sha256 = await asyncio.to_thread(_sha256, request.image_path)
        return _Key(request.prompt, request.mode, image_sha256, request.seed, request.duration_s, self._models)

    def _image_to_caption(self, request: EnhanceRequest) -> Path | None:
        return None if request.mode is Mode.T2V or self._captioner is None else request.image_path

    async def _make(self, request: EnhanceRequest) -> _Outcome:
        self._breaker.check()  # before making a caption that nobody can use
        begun = time.monotonic()
        caption, failure = await self._caption(request)
        captioned = time.monotonic()
        prompt = await self._rewrite(request, caption)
        timings_s = {"caption": captioned - begun, "rewrite": time.monotonic() - captioned}
        return _Outcome(Enhancement(prompt, caption, True, self._notes(request, failure), timings_s), failure)

    def _notes(self, request: EnhanceRequest, failure: EnhancerError | None) -> tuple[str, ...]:
        reason: object = failure
        if self._captioner is None and request.mode is not Mode.T2V and request.image_path is not None:
            reason = "no captioner is configured"
        return (f"the prompt was enhanced without a look at the image: {reason}",) if reason else ()

    async def _caption(self, request: EnhanceRequest) -> tuple[str | None, EnhancerError | None]:
        path = self._image_to_caption(request)
        if path is None or self._captioner is None:
            return None, None
        try:
            return await self._captioner.caption(path), None
        except EnhancerError as exc:
            log.warning("an image got no caption: %s", exc)
            return None, exc

    async def _rewrite(self, request: EnhanceRequest, caption: str | None) -> str:
        messages = build_messages(request.mode, request.prompt, caption, request.duration_s)
        async with self._slots.take():
            with self._breaker.guard():
                completion = await self._complete(messages)
        rewrite = clean(completion.text, completion.is_cut)
        if lost_quotes(request.prompt, rewrite):
            raise BadAnswer("the rewritten prompt leaves out words in quotation marks")
        return rewrite

    async def _complete(self, messages: list[Message]) -> Completion:
        """Ask for a rewrite. A bad answer to one prompt does not count against the server."""
        assert self._sglang is not None
        try:
            completion = await self._sglang.complete(messages)
        except BadAnswer:
            self._last_failure = None
            raise
        except EnhancerError as exc:
            self._last_failure = str(exc)
            raise
        self._last_failure = None
        return completion


def _sha256(path: Path | None) -> str | None:
    """Return the hash, or None for an unreadable file: the captioner reports it, and nothing is cached."""
    assert path is not None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
