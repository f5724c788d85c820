"""Find the Chromium that the tests of the pages drive; `python -m tests.page.browser` installs one if there is none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

VARIABLE = "LTX23_TEST_CHROMIUM"
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
# Nothing but the pages under test is asked for. Playwright turns off most of what a browser does on its own.
OPTIONS = ["--disable-gpu", "--disable-quic", "--disable-sync"]
MISSING = f"No Chromium was found. Install Chromium or Google Chrome, or set {VARIABLE} to the path of one."


def find_browser() -> str | None:
    """Return the path of a browser: the one that the environment names, one on PATH, or Playwright's own."""
    if named := os.environ.get(VARIABLE):
        if not (path := shutil.which(named)):
            raise SystemExit(f"{VARIABLE}: {named} cannot be run")
        return path
    for name in NAMES:
        if path := shutil.which(name):
            return path
    return _playwrights_browser()


def _playwrights_browser() -> str | None:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _install_playwrights_browser() -> None:
    # Only root can install the libraries that the browser needs.
    libraries = ["--with-deps"] if os.geteuid() == 0 else []
    subprocess.run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"], check=True)


def _install_debians_browser() -> None:
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"], check=True)


def _try_to_start(path: str) -> None:
    with sync_playwright() as playwright:
        playwright.chromium.launch(executable_path=path, args=OPTIONS).close()


def main() -> None:
    installers: list[Callable[[], None]] = [_install_playwrights_browser]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        installers.append(_install_debians_browser)
    while not (path := find_browser()):
        if not installers:
            raise SystemExit(MISSING)
        try:
            installers.pop(0)()
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(error.cmd)} failed", file=sys.stderr)
    try:
        _try_to_start(path)
    except Error as error:
        raise SystemExit(f"{path} does not start: {error.message}\nSet {VARIABLE} to the path of another.") from None
    print(f"The tests of the pages use {path}")


if __name__ == "__main__":
    main()
