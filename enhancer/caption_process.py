"""Run a captioner's process from the server: start it, talk to it, and end it.

`captioner_main` describes the messages. A process that violates them is treated as one that has ended: CaptionerDown.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from enhancer.child import Child, start_child
from enhancer.errors import CaptionerDown, CaptionError

log = logging.getLogger("ltx23.captioner")

# A caption of 256 tokens is 2 KB.
MAX_LINE_BYTES = 64 * 1024


class CaptionProcess:
    """A running process, created by `start_process`; its creator kills it and waits for its end."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._asked = self._answered = 0

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.has_ended

    async def wait_until_ready(self) -> None:
        """Wait until the model is loaded. Raises CaptionerDown."""
        match await self._receive():
            case {"ready": str()}:
                return
            case {"failed": str(reason)}:
                log.error("%s", reason)  # it contains paths, which clients should not see
                raise CaptionerDown("the captioner cannot load its model")
            case _:
                raise CaptionerDown("the captioner sent an invalid response")

    async def caption(self, path: Path) -> str:
        """Ask for a caption. Raises CaptionError. The answer to a cancelled call may come first; it is skipped."""
        self._asked += 1
        asked = self._asked
        self._send({"id": asked, "image": str(path)})
        while self._answered < asked:
            message = await self._receive()
            self._answered += 1
            if message.get("id") != self._answered:
                raise CaptionerDown("the captioner sent an invalid response")
        match message:
            case {"caption": str(caption)}:
                return caption
            case {"error": str(reason)}:
                raise CaptionError(reason)
        raise CaptionerDown("the captioner sent an invalid response")

    def kill(self) -> None:
        self._child.kill()

    async def wait_for_end(self) -> int:
        """Wait until nothing of it is left; return its exit code."""
        return await self._child.wait()

    def _send(self, message: Mapping[str, object]) -> None:
        self._child.send(json.dumps(message).encode("ascii") + b"\n")

    async def _receive(self) -> dict[str, object]:
        try:
            line = await self._child.read_line()
        except ValueError as exc:  # longer than MAX_LINE_BYTES
            raise CaptionerDown("the captioner sent an invalid response") from exc
        if not line:
            raise CaptionerDown("the captioner has ended")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise CaptionerDown("the captioner sent an invalid response") from exc
        if not isinstance(message, dict):
            raise CaptionerDown("the captioner sent an invalid response")
        return message


async def start_process(program: Sequence[str], options: Mapping[str, object]) -> CaptionProcess:
    """Start a process. Raises CaptionerDown if that fails."""
    try:
        started = CaptionProcess(await start_child(program, MAX_LINE_BYTES))
    except OSError as exc:
        raise CaptionerDown("the captioner cannot be started") from exc
    started._send(options)
    return started
