"""Run the process that decodes images and sounds: start it when it is needed, kill it when nobody waits for it."""

import asyncio
import json
import logging
import signal
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from enhancer.child import Child, exit_name, start_child
from pipelines.media.image_format import SUGGESTED as SUGGESTED_IMAGE
from pipelines.media.image_limits import MAX_DECODE_SECONDS
from pipelines.media.sound_format import SUGGESTED as SUGGESTED_SOUND
from pipelines.media.source_info import SourceInfo
from pipelines.media.source_limits import SUGGESTED as SUGGESTED_VIDEO
from server.jobs.fair_lock import FairLock
from server.jobs.job import STOPPING, NotReady

log = logging.getLogger("ltx23.media")

# -P: see WORKER_PROGRAM. Warnings about odd metadata are of no use.
PROGRAM = (sys.executable, "-P", "-W", "ignore", "-m", "server.uploads.main")


@dataclass(frozen=True)
class Checked:
    """The result for one image: its size in pixels, or an error."""

    width: int = 0
    height: int = 0
    error: str | None = None

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class CheckedSound:
    """The result for one sound: its length, or an error."""

    length_s: Fraction = Fraction(0)
    error: str | None = None


class MediaChecker:
    """Checks one file at a time; API keys take turns. Decoding 64 megapixels takes several hundred megabytes."""

    def __init__(self) -> None:
        self._lock = FairLock()
        self._child: Child | None = None
        self._ending: set[asyncio.Task[int]] = set()
        self._is_stopped = False

    async def check(self, path: Path, owner: str | None, *, decode: bool = True) -> Checked:
        """Decode the whole image, or read only its header. Raises NotReady if the server stops.

        Cancelling stops the decoder at once.
        """
        return Checked(**await self._ask({"image": str(path), "decode": decode}, owner, SUGGESTED_IMAGE))

    async def check_sound(self, path: Path, owner: str | None) -> CheckedSound:
        """Decode the whole sound, as `check` does with an image."""
        answer = await self._ask({"sound": str(path)}, owner, SUGGESTED_SOUND)
        return CheckedSound(Fraction(answer.get("length_s", 0)), answer.get("error"))

    async def inspect(self, path: Path, owner: str | None, *, decode: bool) -> SourceInfo | str:
        """Return what a clip holds, or an error. decode: read every frame, as `check` does with an image."""
        answer = await self._ask({"source": str(path), "decode": decode}, owner, SUGGESTED_VIDEO)
        if "error" in answer:
            error: str = answer["error"]
            return error
        rates = {name: Fraction(answer[name]) for name in ("frame_rate", "stored_rate")}
        return SourceInfo(**answer | rates)

    def stop(self) -> None:
        """Stop decoding; whoever waits gets NotReady."""
        self._is_stopped = True
        self._kill()

    async def aclose(self) -> None:
        """Stop, and wait until the process has ended."""
        self.stop()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _ask(self, message: dict[str, Any], owner: str | None, suggested: str) -> dict[str, Any]:
        async with self._lock.hold(owner):
            try:
                return await self._exchange(message, suggested)
            except BaseException:
                self._kill()
                raise

    async def _exchange(self, message: dict[str, Any], suggested: str) -> dict[str, Any]:
        child = await self._start()
        child.send(json.dumps(message).encode("ascii") + b"\n")
        line = await child.read_line()
        self._raise_if_stopped()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        returncode = await child.wait()
        self._child = None
        log.error("the process that decodes images and sounds ended with %s", exit_name(returncode))
        slow = returncode == -signal.SIGPROF
        why = f"it takes more than {MAX_DECODE_SECONDS} s to decode" if slow else "it cannot be decoded"
        return {"error": f"{why}: save it again as a plain {suggested}"}

    async def _start(self) -> Child:
        self._raise_if_stopped()
        if self._child is not None and self._child.has_ended:
            self._kill()
        if self._child is None:
            self._child = await start_child(PROGRAM)
            self._raise_if_stopped()
        return self._child

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        ending = asyncio.create_task(child.wait())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _raise_if_stopped(self) -> None:
        if self._is_stopped:
            raise NotReady(STOPPING)
