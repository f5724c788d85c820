"""A server, not a worker: it prints the path of a job's folder with a clip, and is killed."""

import os
import signal
import sys
from pathlib import Path

from server.jobs.workspace import Workspace

with Workspace(Path(sys.argv[1])).job_folder() as folder:
    (folder / "clip.mp4").write_bytes(b"half a clip")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
