"""Exit before being ready, the first two times that it is started."""

import sys

from protocol import Launch

launch = Launch()
if launch.life <= 2:
    sys.exit("RuntimeError: Not enough memory")
launch.serve()
