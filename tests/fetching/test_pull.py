"""`ltx23 serve --pull`: a server that fetches its weights from a hub on loopback before it loads them."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from server.commands.serve import resolve_weights
from server.fetching.fetcher import Fetcher
from server.settings import Settings, SettingsError, load_settings
from tests.conftest import Server
from tests.fetching.small_serve import ENCODER_REPO, MODEL_REPO, TOKEN, registry
from tests.waiting import wait_for
from tests.weights.hub import Fault, Hub, Repo, run_hub
from weights.tiny import TinyFiles

ROOT = Path(__file__).parents[2]
FOREIGN = ("LTX23_", "HF_", "HUGGING", "TRANSFORMERS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LISTENING = re.compile(r"Listening on (http://\S+?);")
SMALL = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9, "generate_audio": False}


class World:
    """A hub with the tiny model, and servers that share a weights folder."""

    def __init__(self, hub: Hub, url: str, tiny: TinyFiles, folder: Path) -> None:
        self.hub, self.tiny, self.folder = hub, tiny, folder
        self.weights_dir = folder / "weights"
        self.checkpoint = self.weights_dir / MODEL_REPO / tiny.checkpoint.name
        self.partial = self.checkpoint.with_name(self.checkpoint.name + ".part")
        clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
        self._env = clean | {
            "HF_ENDPOINT": url,
            "HF_HOME": str(folder / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "LTX23_CACHE_DIR": str(tiny.checkpoint.parents[1]),
            "LTX23_WEIGHTS_DIR": str(self.weights_dir),
            "LTX23_DATA_DIR": str(folder / "data"),
            "LTX23_CHECKPOINT": "small",
            "LTX23_PULL": "1",
        }

    @contextmanager
    def serve(self, **env: str) -> Iterator[Server]:
        command = [sys.executable, "-m", "tests.fetching.small_serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=self._env | env, stderr=subprocess.PIPE, text=True)
        server = Server(process, self.folder, self.folder / "data")
        try:
            yield server
        finally:
            server.stop()

    def resolve(self, pull: bool) -> tuple[Settings, Fetcher | None]:
        """Return the settings of a server that starts now, and what fetches its missing weights."""
        settings = load_settings(checkpoint="small", weights_dir=self.weights_dir, pull=pull)
        return resolve_weights(settings, registry(self.tiny), ())

    def hold_in_the_middle(self) -> int:
        """Have the hub send half of the checkpoint, and the rest once it is released; return the size of the half."""
        half = self.tiny.checkpoint.stat().st_size // 2
        self.hub.misbehave("GET", self.tiny.checkpoint.name, Fault(cut_after=half), Fault(hold=True))
        return half

    def wait_for_half(self) -> None:
        """Wait until the rest is asked for: the first half is on the disk then."""
        self.hub.wait_for_gets(self.tiny.checkpoint.name, 2)


@pytest.fixture
def world(tiny: TinyFiles, tmp_path: Path) -> Iterator[World]:
    hub = Hub()
    models = {path.name: path.read_bytes() for path in (tiny.checkpoint, tiny.upsampler)}
    encoder = {path.name: path.read_bytes() for path in tiny.text_encoder.iterdir()}
    hub.repos = {
        MODEL_REPO: Repo({"c" * 40: models}, "c" * 40),
        ENCODER_REPO: Repo({"d" * 40: encoder}, "d" * 40, needs_token=TOKEN),
    }
    with run_hub(hub) as url:
        yield World(hub, url, tiny, tmp_path)


def client_of(server: Server) -> httpx.Client:
    url = wait_for(lambda: next((found[1] for line in server.lines if (found := LISTENING.search(line))), None))
    return httpx.Client(base_url=url, timeout=60, trust_env=False)


def end_of(server: Server) -> str:
    """Wait until the server has ended; return its last line."""
    server.process.wait()
    server.stop()
    return server.lines[-1]


def test_missing_weights_are_fetched_and_then_render(world: World) -> None:
    half = world.hold_in_the_middle()
    with world.serve() as server, client_of(server) as client:
        world.wait_for_half()
        health = client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "loading")
        loading = wait_for(lambda: found if (found := client.get("/health").json()["loading"])["done_bytes"] else None)
        assert (loading["stage"], loading["name"]) == ("fetching", f"{MODEL_REPO}/{world.tiny.checkpoint.name}")
        files = (world.tiny.checkpoint, world.tiny.upsampler, *world.tiny.text_encoder.iterdir())
        assert loading["total_bytes"] == sum(path.stat().st_size for path in files)
        assert 0 < loading["done_bytes"] <= half
        refused = client.post("/generate", json=SMALL)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0

        world.hub.release.set()
        server.wait_until_ready()

        assert "loading" not in client.get("/health").json()
        assert client.post("/generate", json=SMALL).status_code == 200
    assert server.process.returncode == 0
    assert world.checkpoint.read_bytes() == world.tiny.checkpoint.read_bytes()

    _, fetcher = world.resolve(pull=True)
    assert fetcher is None  # the next server fetches nothing


def test_a_killed_server_leaves_what_has_arrived_to_the_next_one(world: World) -> None:
    half = world.hold_in_the_middle()
    with world.serve() as server:
        world.wait_for_half()
        (fetching,) = psutil.Process(server.process.pid).children()
        server.process.kill()
        fetching.wait()
    assert world.partial.stat().st_size == half

    world.hub.misbehave("GET", world.tiny.checkpoint.name, Fault(hold=True))
    with world.serve():
        assert world.hub.wait_for_gets(world.tiny.checkpoint.name, 3) == f"bytes={half}-"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_fetching_server_cleanly(world: World, signum: signal.Signals) -> None:
    half = world.hold_in_the_middle()
    with world.serve() as server:
        world.wait_for_half()
        (fetching,) = psutil.Process(server.process.pid).children()

        server.process.send_signal(signum)

        server.process.wait()
        assert not fetching.is_running()
    assert server.process.returncode == 0
    assert "Traceback" not in "".join(server.lines)
    assert world.partial.stat().st_size == half


def test_weights_that_cannot_be_fetched_end_the_server_with_the_reason(world: World) -> None:
    with world.serve(HF_TOKEN="") as server:
        said = end_of(server)

    assert server.process.returncode == 1
    assert f"{ENCODER_REPO} is gated" in said
    assert "HF_TOKEN" in said
    assert not world.checkpoint.exists()


def test_a_process_that_is_killed_while_it_fetches_ends_the_server(world: World) -> None:
    world.hold_in_the_middle()
    with world.serve() as server:
        world.wait_for_half()
        (fetching,) = psutil.Process(server.process.pid).children()
        fetching.kill()
        said = end_of(server)

    assert server.process.returncode == 1
    assert "the process that fetches the weights ended with signal 9" in said


def test_only_the_missing_part_is_fetched(world: World) -> None:
    world.checkpoint.parent.mkdir(parents=True)
    for path in (world.tiny.checkpoint, world.tiny.upsampler):
        shutil.copy(path, world.checkpoint.parent)

    world.hub.misbehave("GET", "model.safetensors", Fault(hold=True))
    with world.serve():
        # The hub is asked about every missing file before the first is fetched.
        world.hub.wait_for_gets("model.safetensors", 1)

    assert not any(seen.path.endswith(world.tiny.checkpoint.name) for seen in world.hub.seen)


def test_without_the_setting_the_command_that_fetches_is_named(world: World) -> None:
    with pytest.raises(SettingsError, match="fetch it with: ltx23 weights pull small"):
        world.resolve(pull=False)
