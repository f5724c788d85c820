"""A server, not a worker: it prints the process id of its media checker, waits for a line, and is killed.

Argument: a pipe that the checker reads.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from server.uploads.checker import MediaChecker


async def main() -> None:
    pipe = Path(sys.argv[1])
    checking = asyncio.create_task(MediaChecker().check(pipe, None))
    # Opened once the checker reads it.
    await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    assert not checking.done()
    (checker,) = psutil.Process().children()
    print(checker.pid, flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)


asyncio.run(main())
