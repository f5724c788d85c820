"""Write each exchange that passes through a forwarder into the folder of a recording."""

import asyncio
import logging
from concurrent.futures import Executor, ThreadPoolExecutor

from starlette.types import Scope

from server.edge.refusal import RawHeaders
from server.recordings.exchange import End, Exchange, RecordedAnswer
from server.recordings.folder import RecordingFolder
from server.recordings.forwarder import Forwarder, Tap
from server.recordings.redaction import recorded_answer_headers
from server.recordings.request import describe_request
from server.recordings.spool import Spool
from server.recordings.upstream import Upstream

log = logging.getLogger("ltx23.record")


class Recorder(Forwarder):
    """An ASGI application: pass requests on to `upstream`, and record them with their answers.

    An exchange whose client leaves before its end is not recorded.
    """

    def __init__(self, upstream: Upstream, folder: RecordingFolder) -> None:
        # One thread, so that lines and files are written one after the other, whichever clients leave meanwhile.
        writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        super().__init__(upstream, lambda scope: _Recording(scope, folder, writer))


class _Recording(Tap):
    """One exchange."""

    def __init__(self, scope: Scope, folder: RecordingFolder, writer: Executor) -> None:
        self._scope, self._folder, self._writer = scope, folder, writer
        self._request, self._answer = Spool(folder.bodies), Spool(folder.bodies)
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []

    def request_chunk(self, data: bytes) -> None:
        self._request.write(data)

    def answer_head(self, status: int, headers: RawHeaders) -> None:
        self._status, self._headers = status, recorded_answer_headers(headers)

    def answer_chunk(self, data: bytes) -> None:
        self._answer.write(data)

    async def end(self, end: End, *, is_request_complete: bool) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, end, is_request_complete)
        except OSError as exc:
            log.error("an exchange is not recorded: %s: %s", self._folder.root, exc.strerror or exc)

    def close(self) -> None:
        self._request.close()
        self._answer.close()

    def _write(self, end: End, is_request_complete: bool) -> None:
        root = self._folder.root
        content_type = next((value for name, value in self._headers if name.lower() == "content-type"), "")
        body = self._answer.save(root, content_type)
        answer = RecordedAnswer(status=self._status, headers=self._headers, body=body, end=end)
        request = describe_request(self._scope, self._request, root=root, is_complete=is_request_complete)
        self._folder.append(Exchange(request=request, answer=answer))
