"""Every example of docs/directing.md, run as it stands on the page, but at the smallest size of a clip.

Commands and Python programs run in this process, which has loaded torch and the client already.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.media.probe import probe
from tests.conftest import RunCommand, Server
from tests.http.conftest import picture
from tests.media.clips import write_clip
from tests.media.sounds import tone, write_wav

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
def folder(tmp_path_factory: pytest.TempPathFactory, lora_file: Path) -> Path:
    """Return a folder with the files that the page names."""
    folder = tmp_path_factory.mktemp("directing")
    write_wav(folder / "song.wav", tone(1.2))
    write_clip(folder / "scene.mp4", 25)
    for name in ("first", "last"):
        (folder / f"{name}.png").write_bytes(picture())
    (folder / "loras").mkdir()
    shutil.copy(lora_file, folder / "loras" / "style.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(lora_server: Server, lora_dir: Path, folder: Path) -> Iterator[Server]:
    offered = lora_dir / "style.safetensors"
    shutil.copy(folder / "loras" / "style.safetensors", offered)
    yield lora_server
    offered.unlink()


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
@pytest.mark.parametrize(("section", "language", "code"), EXAMPLES, ids=[f"{s}-{lang}" for s, lang, _ in EXAMPLES])
def test_an_example_gives_a_clip(
    section: str,
    language: str,
    code: str,
    server: Server,
    folder: Path,
    run_command: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "clip.mp4").unlink(missing_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for written, used in ((ADDRESS, server.url), ("512", "256"), ("320", "256")):
        code = code.replace(written, used)

    if language == "python":
        exec(compile(code, section, "exec"), {})
    elif code.startswith(".venv/bin/ltx23 "):
        done = run_command(*shlex.split(code.replace("\\\n", " "))[1:])
        assert done.returncode == 0, done.stderr
    else:
        shell = subprocess.run(["bash", "-eu"], input=code, capture_output=True, text=True)
        assert shell.returncode == 0, shell.stderr

    assert probe(folder / "clip.mp4").has_audio


def test_each_feature_has_an_example_for_every_client() -> None:
    sections = {section for section, _, _ in EXAMPLES}
    for section in sections:
        codes = [code for name, _, code in EXAMPLES if name == section]
        for client in ("curl ", "OpenAI(", "ltx23 generate"):
            assert any(client in code for code in codes), (section, client)
