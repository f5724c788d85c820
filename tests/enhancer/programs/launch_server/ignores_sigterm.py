"""Serve and ignore SIGTERM, with a child process that ignores it too."""

import signal

from protocol import Launch

signal.signal(signal.SIGTERM, signal.SIG_IGN)
launch = Launch()
launch.spawn()
launch.serve()
