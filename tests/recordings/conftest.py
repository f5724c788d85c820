"""`ltx23 record` and `ltx23 replay` as processes, and endpoints that misbehave."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from tests.edge.conftest import running


class Command:
    """A running command, whose first line begins with its address, unless a note comes before it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        line, self.note = process.stderr.readline(), ""
        if not line.startswith("http"):
            line, self.note = process.stderr.readline(), line
        self.url = line.split()[0]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False)


@contextmanager
def run(*args: str) -> Iterator[Command]:
    """Run `ltx23` on a free port. It has to stop cleanly, unless it was killed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    command = [sys.executable, "-m", "server.cli", *args, "--port", "0"]
    with subprocess.Popen(command, env=clean, stderr=subprocess.PIPE, text=True) as process:
        running_command = Command(process)
        try:
            yield running_command
        finally:
            if process.poll() is None:
                assert running_command.stop() == 0


@contextmanager
def recording(folder: Path, upstream: str) -> Iterator[Command]:
    with run("record", "--to", str(folder), "--upstream", upstream) as command:
        yield command


@contextmanager
def replaying(folder: Path, *args: str) -> Iterator[Command]:
    with run("replay", str(folder), *args) as command:
        yield command


@pytest.fixture
def endpoint() -> Iterator[Callable[[ASGIApp], str]]:
    """Return a function that serves an application until the test ends, and returns its address."""
    with ExitStack() as servers:

        def serve(app: ASGIApp) -> str:
            host, port = servers.enter_context(running(app))
            return f"http://{host}:{port}"

        yield serve
