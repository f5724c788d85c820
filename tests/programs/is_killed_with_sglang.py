"""A server, not a worker: it is killed while its managed SGLang runs. Arguments: SGLang's python and its model."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from enhancer.sglang_process import ManagedOptions, ManagedSglang


async def main() -> None:
    managed = ManagedSglang(ManagedOptions(Path(sys.argv[1]), sys.argv[2]))
    managed.start()
    await managed.wait_until_ready()
    os.kill(os.getpid(), signal.SIGKILL)


asyncio.run(main())
