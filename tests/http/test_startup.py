"""The imports of the server process, and settings that prevent a start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.running_server import worker_processes
from server.commands.http_server import listen
from server.settings import load_settings
from tests.conftest import RunCommand, Server

HEAVY = ["torch", "diffusers", "transformers", "accelerate", "safetensors", "av", "numpy", "PIL"]


def test_the_server_imports_nothing_heavy() -> None:
    program = f"import sys, server.commands.serve, server.app; print([name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_worker_with_a_plain_text_encoder_loads_no_bitsandbytes(server: Server) -> None:
    """Importing bitsandbytes takes longer than loading a small model."""
    (worker,) = worker_processes(server.process.pid)
    loaded = [Path(mapped.path).name for mapped in worker.memory_maps()]

    assert any(name.startswith("libtorch_cpu") for name in loaded)
    assert [name for name in loaded if "bitsandbytes" in name] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LTX23_QUEUE_SIZE", "many"),
        ("LTX23_TEMP_DIR", "/dev/null/work"),
        ("LTX23_DATA_DIR", "/dev/null/data"),
        ("LTX23_RESULT_TTL_S", "0"),
        ("LTX23_KEY_QUEUE_SHARE", "2"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_sentence(variable: str, value: str, run_command: RunCommand) -> None:
    done = run_command("serve", "--port", "0", **{variable: value})

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("ltx23: error: ")
    assert variable in sentence


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("LTX23_API_KEYS", "two words", "API key 1"),
        ("LTX23_API_KEYS_FILE", "/nowhere/keys", "/nowhere/keys"),
    ],
)
def test_an_invalid_key_ends_the_process_with_one_sentence(
    variable: str, value: str, named: str, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, env=clean | {variable: value}, capture_output=True, text=True)

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("ltx23: error: ")
    assert named in sentence
    assert "two words" not in sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_connections_have_tcp_nodelay(host: str) -> None:
    with (
        listen(load_settings(host=host, port=0)) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_reported_in_one_sentence(run_command: RunCommand, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command("serve", "--port", str(port), "--temp-dir", str(tmp_path))

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert str(port) in sentence
    assert "--port" in sentence
