"""The worker's end of the pipe, and correct behaviour, for the programs in this folder.

Each program is a worker that fails in one way, in jobs with a certain prompt or the first times that it is started.
"""

import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

from server.worker.messages import (
    Cancel,
    Done,
    FromWorker,
    Generate,
    ModelInfo,
    Progress,
    Ready,
    Started,
    Unwatch,
    Watch,
    WorkerConfig,
)


class Pipe:
    def __init__(self) -> None:
        self.connection = Connection(int(sys.argv[1]))
        config = self.connection.recv()
        assert isinstance(config, WorkerConfig)
        self.config, self.folder = config, config.cache_dir

    def send(self, message: FromWorker) -> None:
        self.connection.send(message)

    def ready(self) -> None:
        self.send(Ready(ModelInfo(checkpoint="none", is_tiny=True, device="cpu", dtype="none")))

    def jobs(self) -> Iterator[Generate]:
        """Yield jobs until the server closes the pipe. Ignore a Cancel between two jobs."""
        while True:
            try:
                message = self.connection.recv()
            except EOFError:
                return
            if isinstance(message, Generate):
                yield message

    def begin(self, job: Generate) -> None:
        self.send(Started(job.job_id))
        self.send(Progress(job.job_id, "stage_1", 0, 8))

    def wait_for_cancel(self, job: Generate) -> None:
        while isinstance(message := self.connection.recv(), Watch | Unwatch):
            pass
        assert message == Cancel(job.job_id)

    def finish(self, job: Generate) -> None:
        self.done(job, job.path.write_text(job.spec.prompt))

    def done(self, job: Generate, size_bytes: int) -> None:
        self.send(Done(job.job_id, {"encode": 0.0, "denoise": 0.0, "decode": 0.0, "mux": 0.0}, size_bytes))

    def render(self, job: Generate) -> None:
        self.begin(job)
        self.finish(job)

    def life(self) -> int:
        """Count the workers that were started in this folder, including this one."""
        with (self.folder / "lives").open("a+") as lives:
            lives.write("I")
            return lives.tell()


def hang() -> None:
    threading.Event().wait()
