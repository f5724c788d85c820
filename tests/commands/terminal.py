"""Run a command on a terminal, as people do."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios


def run_on_terminal(*args: str, env: dict[str, str], interrupt_at: str | None = None) -> tuple[int, str]:
    """Run `ltx23` with a terminal of 120 columns as its stderr; return its exit code and what was shown there.

    interrupt_at: press Ctrl-C once this is shown.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    command = [sys.executable, "-m", "server.cli", *args]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=clean | env) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
                if interrupt_at is not None and interrupt_at.encode() in shown:
                    process.send_signal(signal.SIGINT)
                    interrupt_at = None
        except OSError:  # Linux reports the end of a terminal so
            pass
    os.close(ours)
    return process.returncode, shown.decode()
