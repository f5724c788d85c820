"""A child process ends when its parent is killed, even if the child is stopped."""

import subprocess
import sys

import psutil

from tests.jobs.conftest import has_ended

CHILD = """
import signal
from enhancer.child_setup import die_with_parent
die_with_parent()
print("here", flush=True)
signal.pause()
"""
PARENT = f"""
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def test_a_stopped_child_does_not_outlive_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        child.suspend()
        parent.kill()

        assert has_ended(child)
