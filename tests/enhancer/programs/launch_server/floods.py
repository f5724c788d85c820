"""Serve, and print without end: lines, and a line that never ends."""

import sys
import threading

from protocol import Launch

launch = Launch()
threading.Thread(target=launch.serve).start()
while True:
    sys.stdout.write("\x1b[31mtoken\x1b[0m usage: 0.00\n" * 1000 + "x" * 100_000 + "\r")
