"""Load for ever, with a child process that has no pipe to this one."""

import subprocess
import sys

from protocol import Pipe, hang

pipe = Pipe()
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
(pipe.folder / "pids").write_text(str(child.pid))
hang()
