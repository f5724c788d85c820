"""The pytest plugin in a project outside this repository, in a virtual environment of its own."""

import json
import os
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from weights.tiny import TinyFiles

RunTests = Callable[..., subprocess.CompletedProcess[str]]

# Plugins of our own tests, which a project need not have; importing them takes longer than most of the tests below.
WITHOUT = [f"-pno:{name}" for name in ("schemathesis", "hypothesispytest", "anyio")]

# What every test below needs, with the standard library alone. The project has a package named `server`, too.
HELPERS = """
import json
import pathlib
import urllib.error
import urllib.request

import pytest
import server

SMALL = {"prompt": "a fox", "width": 256, "height": 256, "num_frames": 9, "generate_audio": False, "seed": 7}

assert server.NAME == "the project's own"

def post(running, path="/generate", **fields):
    request = urllib.request.Request(running.url + path, json.dumps(fields).encode(), {"Authorization": "Bearer key"})
    with urllib.request.urlopen(request) as response:
        return response.read()

def note(**values):
    with pathlib.Path("notes.jsonl").open("a") as notes:
        notes.write(json.dumps(values) + "\\n")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty virtual environment that sees the packages of this one; return its interpreter."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (packages / "product.pth").write_text("".join(lines))
    return folder / "bin" / "python"


@pytest.fixture
def run_tests(python: Path, cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> RunTests:
    """Return a function that runs pytest with one test file in the sample project."""

    def run(tests: str, *args: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "server").mkdir(exist_ok=True)
        (tmp_path / "server" / "__init__.py").write_text('NAME = "the project\'s own"\n')
        (tmp_path / "test_sample.py").write_text(HELPERS + tests)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LTX23_", "PYTEST_"))}
        env = kept | {"LTX23_CACHE_DIR": str(cache_dir), "LTX23_API_KEYS": "of-this-machine", "PYTHONPATH": "."}
        options = ["-W", "error", "--strict-markers", f"--basetemp={tmp_path / 'temp'}", *WITHOUT, *args]
        command = [str(python), "-m", "pytest", *options]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    return run


def notes(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "notes.jsonl").read_text().splitlines()]


def wait_until_gone(*pids: int) -> None:
    """Wait until these processes have ended."""
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []


def test_a_project_tests_its_client(run_tests: RunTests, tmp_path: Path) -> None:
    """Two servers are enough: one without settings, and one with keys that fails by the scenarios."""
    done = run_tests("""
def test_a_clip(ltx23_server, ltx23_servers):
    assert post(ltx23_server, **SMALL)[4:8] == b"ftyp"
    [request] = ltx23_server.requests
    assert (request.method, request.path) == ("POST", "/generate")
    assert request.json == request.fields == SMALL
    assert request.headers["authorization"] == "removed"
    assert ltx23_servers().pid == ltx23_server.pid
    note(pid=ltx23_server.pid)

def test_requests_of_other_tests_are_not_listed(ltx23_server):
    assert ltx23_server.requests == []
    with pytest.raises(urllib.error.HTTPError, match="422"):
        post(ltx23_server, prompt="")
    assert [request.fields for request in ltx23_server.requests] == [{"prompt": ""}]
    note(pid=ltx23_server.pid)

@pytest.mark.ltx23_server(no_such_setting=1)
def test_a_wrong_setting(ltx23_server):
    pass

@pytest.mark.ltx23_server(scenario="scenario=queue-full; times=1", api_keys=["key", "other"])
def test_a_full_queue(ltx23_server):
    with pytest.raises(urllib.error.HTTPError, match="429"):
        post(ltx23_server, **SMALL)
    assert post(ltx23_server, **SMALL)[4:8] == b"ftyp"
    assert len(ltx23_server.requests) == 2
    note(pid=ltx23_server.pid)

RULES = [{"answer": "status=500", "prompt": 'a "storm"'}, {"answer": "status=503", "order": [2]}]

@pytest.mark.ltx23_server(api_keys=["key", "other"], scenario=RULES)
def test_rules(ltx23_server):
    with pytest.raises(urllib.error.HTTPError, match="500"):
        post(ltx23_server, prompt='A "Storm" comes')
    with pytest.raises(urllib.error.HTTPError, match="503"):
        post(ltx23_server, **SMALL)
    note(pid=ltx23_server.pid)

@pytest.mark.ltx23_server(api_keys=["key", "other"], scenario="no such fault")
def test_a_wrong_scenario(ltx23_server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(ltx23_server, **SMALL)
    assert "rule 1, answer: 'no such fault' is not a part" in json.load(caught.value)["detail"]
    caught.value.close()

@pytest.mark.ltx23_server(api_keys=["key", "other"], scenario=RULES)
def test_settings(ltx23_server):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(ltx23_server.url + "/v1/videos")
    note(pid=ltx23_server.pid)
""")

    assert "6 passed, 1 error" in done.stdout, done.stdout
    assert "unknown option --no-such-setting" in done.stdout
    pids = [each["pid"] for each in notes(tmp_path)]
    assert pids == [pids[0]] * 2 + [pids[2]] * 3
    assert pids[0] != pids[2]
    wait_until_gone(*pids)


def test_parallel_test_processes_have_servers_of_their_own_which_end_when_they_are_killed(
    run_tests: RunTests, tmp_path: Path
) -> None:
    done = run_tests(
        """
import os
import signal
import psutil

def test_a_server(ltx23_server):
    urllib.request.urlopen(ltx23_server.url + "/health").close()
    assert len(ltx23_server.requests) == 1
    children = psutil.Process(ltx23_server.pid).children(recursive=True)
    note(url=ltx23_server.url, pids=[ltx23_server.pid, *(child.pid for child in children)])

def test_killed(ltx23_server):
    os.kill(os.getpid(), signal.SIGKILL)
""",
        *("-n", "2", "--dist", "each"),
    )

    assert "2 failed, 2 passed" in done.stdout, done.stdout
    noted = notes(tmp_path)
    assert len({each["url"] for each in noted}) == 2
    assert all(len(each["pids"]) > 1 for each in noted)
    wait_until_gone(*(pid for each in noted for pid in each["pids"]))


def test_the_plugin_imports_nothing_of_the_server() -> None:
    check = (
        "import sys, ltx23_pytest.plugin; print(sorted({'server', 'httpx2', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
