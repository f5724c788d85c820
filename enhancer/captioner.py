"""Caption images with a process that is started on demand and replaced when it fails."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from enhancer.breaker import Breaker
from enhancer.caption_process import CaptionProcess, start_process
from enhancer.child import exit_name
from enhancer.clean import plain
from enhancer.errors import CaptionerDown, CaptionError
from enhancer.slots import Slots

log = logging.getLogger("ltx23.captioner")

NAME = "the captioner"

# -P: do not import from the folder in which the server was started.
CAPTIONER_PROGRAM = (sys.executable, "-P", "-m", "enhancer.captioner_main")

# Delays before the next process starts.
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 30.0, 60.0)

# Captions that may wait behind the running one.
MAX_WAITING = 8


@dataclass(frozen=True)
class CaptionerOptions:
    """Options of the captioner.

    model: a folder or an id on the Hugging Face hub. device: `auto`, `cpu`, `cuda` or `cuda:N`.
    dtype: `auto` (bfloat16 on a GPU, float32 on a CPU), `float32`, `bfloat16` or `float16`.
    timeout_s: for one caption; a process that takes longer is killed.
    wait_s: for the captions before it, and as long again for a model that still loads.
    """

    model: str = "florence-community/Florence-2-large"
    device: str = "auto"
    dtype: str = "auto"
    timeout_s: float = 10.0
    wait_s: float = 10.0
    load_timeout_s: float = 300.0


class CaptionerState(StrEnum):
    IDLE = "idle"  # loads when it is first needed
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class Captioner:
    """Make one caption at a time. `aclose` ends the process; otherwise it ends with this one."""

    def __init__(
        self,
        options: CaptionerOptions,
        program: Sequence[str] = CAPTIONER_PROGRAM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._program = options, program
        self._breaker = Breaker(NAME, failures=1, delays_s=RESTART_BACKOFF_S, clock=clock)
        self._slots = Slots(NAME, running=1, waiting=MAX_WAITING, timeout_s=options.wait_s)
        self._process: CaptionProcess | None = None
        self._loading: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._failure: str | None = None
        self._is_closed = False

    @property
    def model(self) -> str:
        return self._options.model

    @property
    def state(self) -> CaptionerState:
        if self._loading is not None:
            return CaptionerState.LOADING
        if self._process is not None and not self._process.has_ended:
            return CaptionerState.READY
        return CaptionerState.IDLE if self._failure is None else CaptionerState.FAILED

    @property
    def failure(self) -> str | None:
        """Why the last process failed; None once one has made a caption."""
        return self._failure

    def start(self) -> None:
        """Load now instead of at the first caption. Raises Unavailable during the pause after failures."""
        if self._is_closed:
            raise CaptionerDown(f"{NAME} is closed")
        if self._process is None and self._loading is None:
            self._breaker.check()
            self._loading = asyncio.create_task(self._load())

    async def caption(self, path: Path) -> str:
        """Return a caption of one line. Raises CaptionError, Busy or Unavailable."""
        async with self._slots.take():
            process = await self._get_process()
            try:
                async with asyncio.timeout(self._options.timeout_s):
                    caption = plain(await process.caption(path))
            except TimeoutError as exc:
                self._fail(process, f"{NAME} took longer than {self._options.timeout_s:g} s")
                raise CaptionerDown(str(self._failure)) from exc
            except CaptionerDown as exc:
                self._fail(process, str(exc))
                raise
        self._breaker.succeed()
        self._failure = None
        if not caption:
            raise CaptionError(f"{NAME} found nothing to say of the image")
        return caption

    async def aclose(self) -> None:
        """End the process. Captions that are waited for fail."""
        self._is_closed = True
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        self._retire(self._process)
        if self._endings:
            await asyncio.wait(self._endings)

    async def _get_process(self) -> CaptionProcess:
        if self._loading is None and self._process is not None and self._process.has_ended:
            log.warning("the captioner's process has ended between two captions")
            self._retire(self._process)
        self.start()
        if self._loading is not None:
            await asyncio.wait({self._loading}, timeout=self._options.wait_s)
        if self._loading is not None:
            raise CaptionError(f"{NAME} is still loading")
        if self._process is None:
            raise CaptionerDown(self._failure or f"{NAME} is closed")
        return self._process

    async def _load(self) -> None:
        try:
            self._process = await start_process(self._program, self._model_options())
            async with asyncio.timeout(self._options.load_timeout_s):
                await self._process.wait_until_ready()
        except CaptionerDown as exc:
            self._fail(self._process, str(exc))
        except TimeoutError:
            self._fail(self._process, f"{NAME} does not load within {self._options.load_timeout_s:g} s")
        finally:
            self._loading = None

    def _model_options(self) -> dict[str, object]:
        return {"model": self._options.model, "device": self._options.device, "dtype": self._options.dtype}

    def _fail(self, process: CaptionProcess | None, reason: str) -> None:
        log.error("%s", reason)
        self._failure = reason
        self._breaker.fail()
        self._retire(process)

    def _retire(self, process: CaptionProcess | None) -> None:
        """Let it end in the background; only `aclose` waits for it."""
        if process is None or process is not self._process:
            return  # `aclose` retired it already
        self._process = None
        process.kill()
        ending = asyncio.create_task(self._log_end(process))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    @staticmethod
    async def _log_end(process: CaptionProcess) -> None:
        log.info("captioner %d ended with %s", process.pid, exit_name(await process.wait_for_end()))
