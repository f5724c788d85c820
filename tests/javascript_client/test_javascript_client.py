"""The JavaScript client, tested by Node's own test runner with a real server, and its package."""

import re
from pathlib import Path

import pytest

from tests.conftest import KEYS, Server
from tests.http.conftest import picture
from tests.node import NODE, NPM, QUIET, run

KEY = KEYS["javascript"]
ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "javascript"
TESTS = Path(__file__).with_name("client.test.js")
TSC = ROOT / "tests" / "page" / "node_modules" / "typescript" / "bin" / "tsc"

TYPED_USE = """
import { LTX23, LTX23Error, type Video } from "ltx23-client";

const ltx = new LTX23({ baseUrl: "http://127.0.0.1:8000", fetch: globalThis.fetch });
const image = new Uint8Array();
const { video, blob } = await ltx.generate({ prompt: "a fox", image }, { onProgress: (p) => p.percent });
const seed: number = video.seed;
const made: Video = await ltx.get(video.id);
for await (const event of ltx.events(made.id)) if (event.type === "completed") event.data.width satisfies number;
// @ts-expect-error a prompt is required
ltx.create({ image });
// @ts-expect-error a picture is no number
ltx.create({ prompt: "a fox", image: 7 });
export const kept = [seed, blob.size, LTX23Error];
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project that has the client installed."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run(NPM, "install", *QUIET, CLIENT, cwd=folder)
    return folder


def test_the_client_with_a_server_and_faults(server_for_clients: Server, tmp_path: Path) -> None:
    image = tmp_path / "first.png"
    image.write_bytes(picture())

    printed = run(
        *(NODE, "--test", "--test-reporter=tap", TESTS),
        cwd=tmp_path,
        LTX23_SERVER=server_for_clients.url,
        LTX23_KEY=KEY,
        FIRST_IMAGE=str(image),
    )

    assert int(re.findall(r"^# pass (\d+)$", printed, re.MULTILINE)[0]) > 20


def test_the_example_of_the_readme(server_for_clients: Server, project: Path) -> None:
    (example,) = re.findall(r"```js\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)
    changes = {"http://127.0.0.1:8000": server_for_clients.url, "width: 512, height: 320": "width: 256, height: 256"}
    for written, used in changes.items():
        assert written in example
        example = example.replace(written, used)
    (project / "example.js").write_text(example)
    (project / "first.png").write_bytes(picture())

    printed = run(NODE, "example.js", cwd=project, LTX23_API_KEY=KEY)

    assert b"ftyp" in (project / "clip.mp4").read_bytes()[:16]
    assert "stage_1" in printed


def test_a_typescript_project_has_its_types(project: Path) -> None:
    (project / "use.ts").write_text(TYPED_USE)
    options = ["--strict", "--noEmit", "--target", "es2023", "--module", "nodenext", "--types", ""]

    run(NODE, TSC, *options, "use.ts", cwd=project)


def test_the_types_are_those_of_the_code(tmp_path: Path) -> None:
    run(NODE, TSC, "--project", CLIENT, "--outDir", tmp_path, cwd=ROOT)

    assert (CLIENT / "ltx23.d.ts").read_text() == (tmp_path / "ltx23.d.ts").read_text(), (
        "run .venv/bin/node tests/page/node_modules/typescript/bin/tsc --project clients/javascript"
    )


def test_the_package_holds_the_module_and_its_types(project: Path) -> None:
    packed = run(NPM, "pack", "--dry-run", "--json", CLIENT, cwd=project)

    assert set(re.findall(r'"path": "([^"]+)"', packed)) == {"README.md", "ltx23.d.ts", "ltx23.js", "package.json"}
