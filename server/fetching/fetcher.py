"""The server's side of the process that fetches missing weights."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence

from enhancer.child import Child, exit_name, start_child
from server.jobs.loading import LoadingProgress, LoadingStatus, Stage
from server.settings import Settings
from server.worker.messages import Loading
from weights.registry import Role

# -P: see WORKER_PROGRAM.
PROGRAM = (sys.executable, "-P", "-m", "server.fetching.main")


class FetchError(Exception):
    """The weights could not be fetched; what has arrived is kept."""


class Fetcher:
    """Fetches missing weights once. names: those of the weights by role, as in `Registry.names_of`."""

    def __init__(self, settings: Settings, names: Mapping[Role, str], program: Sequence[str] = PROGRAM) -> None:
        self._order = {
            "weights_dir": str(settings.weights_dir),
            "names": {role.value: name for role, name in names.items()},
            "log_level": settings.log_level,
            "log_format": settings.log_format,
        }
        self._program = program
        self._progress: LoadingProgress | None = LoadingProgress(Stage.FETCHING)

    @property
    def status(self) -> LoadingStatus | None:
        """Return the progress, or None once everything is there."""
        return None if self._progress is None else self._progress.status

    async def run(self, on_progress: Callable[[Loading], None]) -> None:
        """Fetch what is missing; cancelling this ends the process, and keeps what has arrived. Raises FetchError."""
        try:
            child = await start_child(self._program)
        except OSError as exc:
            raise FetchError(f"no process can be started to fetch the weights: {exc}") from exc
        try:
            await self._follow(child, on_progress)
        finally:
            child.kill()
            await child.wait()
        self._progress = None

    async def _follow(self, child: Child, on_progress: Callable[[Loading], None]) -> None:
        assert self._progress is not None
        child.send(json.dumps(self._order).encode("ascii") + b"\n")
        while line := await child.read_line():
            message = json.loads(line)
            if "error" not in message:
                message["stage"] = Stage(message["stage"])
                self._progress.update(**message)
                name, done_bytes, total_bytes = (message[key] for key in ("name", "done_bytes", "total_bytes"))
                on_progress(Loading(f"{message['stage']} {name}", done_bytes, total_bytes))
            elif message["error"] is None:
                return
            else:
                raise FetchError(message["error"])
        how = exit_name(await child.wait())
        raise FetchError(f"the process that fetches the weights ended with {how}; the log has the reason")
