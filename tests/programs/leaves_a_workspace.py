"""No worker: a server that is killed while a job's folder holds a clip. Prints that folder's path first."""

import os
import signal
import sys
from pathlib import Path

from server.requests.workspace import Workspace

with Workspace(Path(sys.argv[1])).job_folder() as folder:
    (folder / "clip.mp4").write_bytes(b"half a clip")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
