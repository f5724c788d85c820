"""A server for the examples, and the packages that they need, which are installed once into `.cache/examples`."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from playwright.sync_api import FilePayload

from tests.conftest import KEYS, Server
from tests.http.conftest import picture
from tests.node import NPM, QUIET, run
from tests.page.conftest import browser, chromium, playwright

__all__ = ["browser", "chromium", "playwright"]

KEY = KEYS["examples"]
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CACHE = ROOT / ".cache" / "examples"
RED = "#dc1e1e"


@pytest.fixture(scope="session")
def variables(server_for_clients: Server) -> dict[str, str]:
    """Return the environment variables with which an example makes a small clip."""
    return {"LTX23_SERVER": server_for_clients.url, "LTX23_API_KEY": KEY, "SIZE": "256x256", "DURATION": "0.375"}


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that copies an example, with an image `first.png`, to an empty folder.

    Its packages are linked to, or copied for tools that follow no links out of a project.
    """

    def copy(name: str, *, copy_packages: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("example") / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("node_modules", ".next"))
        if copy_packages:
            shutil.copytree(npm_packages(EXAMPLES / name), folder / "node_modules", symlinks=True)
        elif (folder / "package-lock.json").exists():
            (folder / "node_modules").symlink_to(npm_packages(EXAMPLES / name))
        (folder / "first.png").write_bytes(picture(color=RED))
        return folder

    return copy


def uploaded() -> FilePayload:
    """Return the image as it is chosen in a page."""
    return {"name": "first.png", "mimeType": "image/png", "buffer": picture(color=RED)}


def npm_packages(folder: Path) -> Path:
    """Install what the lock file of a folder names, unless it is there. Return the folder `node_modules`."""

    def install(target: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, target)
        run(NPM, "ci", *QUIET, cwd=target)

    return installed(_named_by(folder / "package-lock.json"), install) / "node_modules"


def python_packages(folder: Path) -> Path:
    """Install what `requirements.txt` of a folder names, unless it is there. Return the environment's Python."""

    def install(target: Path) -> None:
        run(sys.executable, "-m", "venv", "env", cwd=target)
        run("env/bin/python", "-m", "pip", "install", "--quiet", "-r", folder / "requirements.txt", cwd=target)

    return installed(_named_by(folder / "requirements.txt"), install) / "env" / "bin" / "python"


def installed(name: str, install: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, after `install` has filled it if it was not there."""
    target = CACHE / name
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as folder:
            install(Path(folder))
            # Another process may have installed the same in the meantime.
            if not target.exists():
                Path(folder).rename(target)
    return target


def _named_by(lock: Path) -> str:
    """Return a name that changes with the contents of a lock file."""
    return f"{lock.parent.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def check_clip(path: Path, *, shows_image: bool) -> None:
    """Check that a file is the clip that `variables` ask for, and whether it begins with the red image."""
    with av.open(path) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    assert (len(frames), frames[0].shape) == (9, (256, 256, 3))
    red, green, blue = frames[0].mean(axis=(0, 1))
    assert (red > 150 and green < 90 and blue < 90) == shows_image
