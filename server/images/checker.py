"""Run the process that decodes images: start it when it is needed, kill it when nobody waits for its result."""

import asyncio
import json
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

from pipelines.media.image_limits import MAX_DECODE_SECONDS
from server.jobs.job import STOPPING, NotReady
from server.jobs.turns import Turns

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
        self._turns = Turns()
        self._process: Process | None = None
        self._ending: set[asyncio.Task[int]] = set()
        self._is_stopped = False

    async def check(self, path: Path, owner: str | None, *, decode: bool = True) -> Checked:
        """Decode the whole image, or read only its header. Raises NotReady if the server stops.

        Cancelling stops the decoder at once.
        """
        async with self._turns.turn(owner):
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
        process = await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"path": str(path), "decode": decode}).encode("ascii") + b"\n")
        line = await process.stdout.readline()
        self._raise_if_stopped()
        if line:
            return Checked(**json.loads(line))
        self._process = None
        returncode = await process.wait()
        log.error("the process that decodes images ended with %d", returncode)
        slow = returncode == -signal.SIGPROF
        why = f"it takes more than {MAX_DECODE_SECONDS} s to decode" if slow else "it cannot be decoded"
        return Checked(error=f"{why}: save it again as a plain PNG, JPEG or WebP file")

    async def _start(self) -> Process:
        self._raise_if_stopped()
        if self._process is None or self._process.returncode is not None:
            # In a session of its own, so that only the server receives Ctrl-C from the terminal.
            self._process = await asyncio.create_subprocess_exec(
                *PROGRAM, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            if self._is_stopped:
                self._kill()
            self._raise_if_stopped()
        return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        ending = asyncio.create_task(process.wait())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _raise_if_stopped(self) -> None:
        if self._is_stopped:
            raise NotReady(STOPPING)
