"""Garbage collection while models are loaded, tested in a separate process because it freezes objects for good."""

import subprocess
import sys

PROGRAM = """
import gc
from server.worker.garbage import postponed_gc

try:
    with postponed_gc():
        before = gc.isenabled(), gc.get_freeze_count()
        loaded = [[] for _ in range(1000)]
        raise OSError
except OSError:
    print(before, gc.isenabled(), gc.get_freeze_count() >= 1000)
"""


def test_loaded_objects_are_left_out_of_later_collections() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout == "(False, 0) True True\n"
