"""The server's side of a captioner's process: start it, talk with it, see to its end. Knows not when to start another.

What goes through the socket is said in `captioner_main`. A process that does not keep to that is of no use any more:
CaptionerDown, as when it has ended.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from enhancer.child import Child, start_child
from enhancer.errors import CaptionerDown, CaptionError

log = logging.getLogger("ltx23.captioner")

# A caption of 256 tokens is 2 KB.
MAX_LINE_BYTES = 64 * 1024


class CaptionProcess:
    """A running process. Made by `start_process`; whoever made it kills it, then waits for its end."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._asked = self._answered = 0

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Perhaps before its end of the socket is seen to be closed."""
        if self._child.reader.at_eof():
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def wait_until_ready(self) -> None:
        """Raises CaptionerDown."""
        match await self._receive():
            case {"ready": str()}:
                return
            case {"failed": str(reason)}:
                log.error("%s", reason)  # with paths, which are no client's business
                raise CaptionerDown("the captioner cannot load its model")
            case _:
                raise CaptionerDown("the captioner talks nonsense")

    async def caption(self, path: Path) -> str:
        """Raises CaptionError. An answer to a call that was cancelled comes first, and is passed over."""
        self._asked += 1
        asked = self._asked
        self._send({"id": asked, "image": str(path)})
        while self._answered < asked:
            message = await self._receive()
            self._answered += 1
            if message.get("id") != self._answered:
                raise CaptionerDown("the captioner talks nonsense")
        match message:
            case {"caption": str(caption)}:
                return caption
            case {"error": str(reason)}:
                raise CaptionError(reason)
        raise CaptionerDown("the captioner talks nonsense")

    def kill(self) -> None:
        self._child.kill()

    async def wait_for_end(self) -> int:
        """Its exit code; afterwards nothing of it is left."""
        return await self._child.wait()

    def _send(self, message: Mapping[str, object]) -> None:
        self._child.send(json.dumps(message).encode("ascii") + b"\n")

    async def _receive(self) -> dict[str, object]:
        try:
            line = await self._child.reader.readline()
        except OSError as exc:
            raise CaptionerDown("the captioner has ended") from exc
        except ValueError as exc:  # longer than MAX_LINE_BYTES
            raise CaptionerDown("the captioner talks nonsense") from exc
        if not line.endswith(b"\n"):
            raise CaptionerDown("the captioner has ended")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise CaptionerDown("the captioner talks nonsense") from exc
        if not isinstance(message, dict):
            raise CaptionerDown("the captioner talks nonsense")
        return message


async def start_process(program: Sequence[str], options: Mapping[str, object]) -> CaptionProcess:
    """Raises CaptionerDown when it cannot be started."""
    try:
        started = CaptionProcess(await start_child(program, MAX_LINE_BYTES))
    except OSError as exc:
        raise CaptionerDown("the captioner cannot be started") from exc
    started._send(options)
    return started
