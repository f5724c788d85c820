"""Run the process that decodes images: start it when it is needed, kill it when nobody waits for its result."""

import asyncio
import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from enhancer.child import Child, exit_name, start_child
from pipelines.media.image_format import SUGGESTED
from pipelines.media.image_limits import MAX_DECODE_SECONDS
from server.jobs.fair_lock import FairLock
from server.jobs.job import STOPPING, NotReady

log = logging.getLogger("ltx23.images")

# -P: see WORKER_PROGRAM. Warnings about odd metadata are of no use.
PROGRAM = (sys.executable, "-P", "-W", "ignore", "-m", "server.images.main")


@dataclass(frozen=True)
class Checked:
    """The result for one image: its size in pixels, or an error."""

    width: int = 0
    height: int = 0
    error: str | None = None

    @property
    def pixels(self) -> int:
        return self.width * self.height


class ImageChecker:
    """Checks one image at a time; API keys take turns. Decoding 64 megapixels takes several hundred megabytes."""

    def __init__(self) -> None:
        self._lock = FairLock()
        self._child: Child | None = None
        self._ending: set[asyncio.Task[int]] = set()
        self._is_stopped = False

    async def check(self, path: Path, owner: str | None, *, decode: bool = True) -> Checked:
        """Decode the whole image, or read only its header. Raises NotReady if the server stops.

        Cancelling stops the decoder at once.
        """
        async with self._lock.hold(owner):
            try:
                return await self._ask(path, decode)
            except BaseException:
                self._kill()
                raise

    def stop(self) -> None:
        """Stop decoding; whoever waits gets NotReady."""
        self._is_stopped = True
        self._kill()

    async def aclose(self) -> None:
        """Stop, and wait until the process has ended."""
        self.stop()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _ask(self, path: Path, decode: bool) -> Checked:
        child = await self._start()
        child.send(json.dumps({"path": str(path), "decode": decode}).encode("ascii") + b"\n")
        line = await child.read_line()
        self._raise_if_stopped()
        if line:
            return Checked(**json.loads(line))
        returncode = await child.wait()
        self._child = None
        log.error("the process that decodes images ended with %s", exit_name(returncode))
        slow = returncode == -signal.SIGPROF
        why = f"it takes more than {MAX_DECODE_SECONDS} s to decode" if slow else "it cannot be decoded"
        return Checked(error=f"{why}: save it again as a plain {SUGGESTED}")

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
