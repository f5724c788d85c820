"""Serve, exit at GET /die, and leave a file in the temporary folder."""

import tempfile

from protocol import Launch

launch = Launch()
tempfile.mkstemp()
print("The server is fired up and ready to roll!", flush=True)
launch.serve()
