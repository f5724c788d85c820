"""Open a file with the program that the system has for it."""

import os
import sys
from pathlib import Path

OPENERS = {"darwin": "open"}
DEFAULT_OPENER = "xdg-open"


def open_file(path: Path) -> None:
    """Start the program, and do not wait for it. Raises OSError if there is none."""
    opener = OPENERS.get(sys.platform, DEFAULT_OPENER)
    silent = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in (0, 1, 2)]
    os.posix_spawnp(opener, [opener, str(path.absolute())], os.environ, file_actions=silent, setpgroup=0)
