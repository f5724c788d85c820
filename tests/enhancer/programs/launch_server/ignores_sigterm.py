"""Is ready, deaf to SIGTERM, and has started something that is as well."""

import signal

from manners import Launch

signal.signal(signal.SIGTERM, signal.SIG_IGN)
launch = Launch()
launch.spawn()
launch.serve()
