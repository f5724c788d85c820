"""Ends before it is ready, in its first two lives."""

import sys

from manners import Launch

launch = Launch()
if launch.life <= 2:
    sys.exit("RuntimeError: Not enough memory")
launch.serve()
