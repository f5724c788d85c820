"""The application on a socket, in a thread of this process, with any program as its worker."""

import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from server.app import create_app
from server.commands.draining import DrainingServer
from server.commands.http_server import create_http_config
from server.settings import load_settings
from server.worker.messages import FromWorker
from tests.jobs.conftest import GUARD_S, Event
from tests.waiting import wait_for

GRACE_S = 0.1


@dataclass(frozen=True)
class Served:
    """A running server. If its worker is a test program, a prompt tells it what to do."""

    client: httpx.Client
    temp_dir: Path
    events: "queue.Queue[FromWorker]"
    signal: Callable[[], None]
    ended: Callable[[], None]

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def told(self, kind: type[Event]) -> Event:
        """Wait for the next event of this type."""
        while not isinstance(event := self.events.get(timeout=GUARD_S), kind):
            pass
        return event

    def ask(self, prompt: str) -> httpx.Response:
        body = {"prompt": prompt, "width": 256, "height": 256, "num_frames": 9, "generate_audio": False}
        return self.client.post("/generate", json=body)

    def ask_until_ready(self, prompt: str) -> httpx.Response:
        return wait_for(lambda: response if (response := self.ask(prompt)).status_code != 503 else None)

    def left_files(self) -> list[str]:
        return [path.name for path in self.temp_dir.rglob("job-*/**/*")]


@contextmanager
def serve(program: Sequence[str], temp_dir: Path, **settings: object) -> Iterator[Served]:
    """Run a server until the end of the context, on any free port unless `settings` have one."""
    events: queue.Queue[FromWorker] = queue.Queue()
    folders = {"temp_dir": temp_dir, "data_dir": temp_dir / "data"}
    chosen = load_settings(**folders | {"port": 0, "grace_s": GRACE_S, "drain_s": GRACE_S} | settings)
    app = create_app(chosen, events.put, program)
    config = create_http_config(app, chosen, date_header=not chosen.deterministic_time)
    with socket.create_server(("127.0.0.1", chosen.port)) as listener:
        server = DrainingServer(config, chosen.drain_s)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=GUARD_S, trust_env=False) as client:
                yield Served(client, temp_dir, events, lambda: server.handle_exit(signal.SIGTERM, None), thread.join)
        finally:
            server.should_exit = True
            thread.join()


def worker_of(program: Sequence[str]) -> psutil.Process:
    """Return the one worker of a server in this process that runs `program`."""
    found = []
    for child in psutil.Process().children():
        # A child of another test may end just now.
        with suppress(psutil.NoSuchProcess):
            if program[-1] in child.cmdline():
                found.append(child)
    (worker,) = found
    return worker
