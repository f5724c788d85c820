"""Shared fixtures: the tiny model's files and a real server on loopback."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from server.cli import main
from server.process.torch_environment import wait_passively
from server.worker.garbage import postponed_gc
from weights.tiny import TinyFiles, tiny_files

wait_passively()
# Several tests and their servers share the cores: with a thread per core, a clip takes twice the processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is slow, which says nothing about a test. `make fuzz` runs what has a nightly length with "nightly".
settings.register_profile("suite", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("suite")
settings.register_profile("nightly", settings())

# The keys of `server_for_clients`.
KEYS = {client: f"sk-of-{client}" for client in ("python", "javascript", "examples", "page", "proxied-page")}
# A file of faults needs a rule.
NO_FAULTS = 'rules = [{request = "GET /nothing", answer = "status=500"}]'

READY = re.compile(r"LTX-23-Video is ready on (http://\S+)")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave the modules and the tests out of later garbage collections."""
    with postponed_gc():
        return (yield)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny(cache_dir: Path) -> TinyFiles:
    return tiny_files(cache_dir)


@pytest.fixture(scope="session")
def random_tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    from tests.random_model import write_random_model

    return write_random_model(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def tiny_folder(tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tiny model as a complete diffusers folder, for tests that do not change it."""
    from pipelines.ltx.models import WeightFiles
    from tests.diffusers_folder import write_folder

    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    return write_folder(files, tmp_path_factory.mktemp("diffusers") / "tiny")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


RunCommand = Callable[..., Done]


@pytest.fixture
def run_command(cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCommand:
    """Run `ltx23` in this process, without the settings of this machine's environment."""
    for name in [name for name in os.environ if name.startswith("LTX23_")]:
        monkeypatch.delenv(name)

    def run(*args: str, **env: str) -> Done:
        folders = {"LTX23_CACHE_DIR": str(cache_dir), "LTX23_DATA_DIR": str(cache_dir / "data")}
        for name, value in (folders | env).items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        code = main(args)
        return Done(code, *capfd.readouterr())

    return run


class Server:
    """A running `ltx23 serve`, with the lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str], temp_dir: Path, data_dir: Path) -> None:
        self.process, self.temp_dir, self.data_dir = process, temp_dir, data_dir
        self.lines: list[str] = []
        self.url = ""
        self._spoke = threading.Event()
        # Keep reading, or the pipe fills up and the server blocks.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> None:
        self._spoke.wait()
        assert self.url, "the server ended before it was ready:\n" + "".join(self.lines)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            for line in stderr:
                self.lines.append(line)
                if match := READY.search(line):
                    self.url = match[1]
                    self._spoke.set()
        self._spoke.set()

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False, **options)  # type: ignore[arg-type]


@contextmanager
def run_server(cache_dir: Path, temp_dir: Path, *args: str, **env: str) -> Iterator[Server]:
    """Run `ltx23 serve` on a free port and wait until it is ready. LTX23_* variables of this machine are ignored."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    with tempfile.TemporaryDirectory() as data_dir:
        folders = {"LTX23_CACHE_DIR": str(cache_dir), "LTX23_TEMP_DIR": str(temp_dir), "LTX23_DATA_DIR": data_dir}
        process = subprocess.Popen(
            [sys.executable, "-m", "server.cli", "serve", "--port", "0", *args],
            env=clean | folders | env,
            stderr=subprocess.PIPE,
            text=True,
        )
        server = Server(process, temp_dir, Path((folders | env)["LTX23_DATA_DIR"]))
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def server(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one server for all tests that do not change it."""
    with run_server(cache_dir, tmp_path_factory.mktemp("work")) as running:
        yield running


@pytest.fixture(scope="session")
def server_for_clients(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one server for the tests of all clients: it requires keys, lets in pages of every origin, and can fail.

    Each kind of client has a key, and with it videos of its own. A proxy on this machine may name a prefix.
    `rules.toml` in the server's temporary folder says how answers fail, and `requests` there has the requests.
    """
    folder = tmp_path_factory.mktemp("clients")
    rules, requests = folder / "rules.toml", folder / "requests"
    rules.write_text(NO_FAULTS)
    options = ("--rehearsal", "--rehearsal-file", str(rules), "--requests-dir", str(requests))
    environment = {"LTX23_API_KEYS": ",".join(KEYS.values()), "LTX23_CORS_ORIGINS": "*"}
    environment["LTX23_TRUSTED_PROXIES"] = "127.0.0.1"
    with run_server(cache_dir, folder, *options, **environment) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
