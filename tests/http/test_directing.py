"""Every example of docs/directing.md, run as it stands on the page against the session's server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import save_file

from pipelines.media.probe import probe
from tests.conftest import Server, run_server
from tests.http.conftest import picture
from tests.lora_layouts import swap_lora
from tests.media.clips import write_clip
from tests.media.sounds import tone, write_wav
from weights.tiny import TinyFiles

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "directing.md"
ADDRESS = "http://127.0.0.1:8000"


def examples() -> Iterator[tuple[str, str, str]]:
    """Yield the section, the language and the text of each block of code."""
    section = ""
    blocks = re.compile(r"^## ([^\n]*)|^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    for heading, language, code in blocks.findall(PAGE.read_text()):
        if heading:
            section = heading
        else:
            yield section, language, code


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the page names."""
    folder = tmp_path_factory.mktemp("directing")
    write_wav(folder / "song.wav", tone(1.2))
    write_clip(folder / "scene.mp4")
    for name in ("first", "last"):
        (folder / f"{name}.png").write_bytes(picture())
    (folder / "loras").mkdir()
    save_file(swap_lora(), folder / "loras" / "style.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(
    cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> Iterator[Server]:
    with run_server(cache_dir, tmp_path_factory.mktemp("work"), "--lora-dir", str(folder / "loras")) as running:
        yield running


@pytest.mark.parametrize(("section", "language", "code"), EXAMPLES, ids=[f"{s}-{lang}" for s, lang, _ in EXAMPLES])
def test_an_example_gives_a_clip(
    section: str, language: str, code: str, server: Server, cache_dir: Path, folder: Path
) -> None:
    (folder / "clip.mp4").unlink(missing_ok=True)
    code = code.replace(ADDRESS, server.url).replace(".venv/bin/ltx23", f"{sys.executable} -m server.cli")
    program = [sys.executable, "-"] if language == "python" else ["bash", "-eu"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    env |= {"LTX23_CACHE_DIR": str(cache_dir), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}

    done = subprocess.run(program, input=code, cwd=folder, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert probe(folder / "clip.mp4").has_audio


def test_each_feature_has_an_example_for_every_client() -> None:
    sections = {section for section, _, _ in EXAMPLES}
    for section in sections:
        codes = [code for name, _, code in EXAMPLES if name == section]
        for client in ("curl ", "OpenAI(", "ltx23 generate"):
            assert any(client in code for code in codes), (section, client)
