"""Is ready, and dies of GET /die. Leaves a file in its temporary folder."""

import tempfile

from manners import Launch

launch = Launch()
tempfile.mkstemp()
print("The server is fired up and ready to roll!", flush=True)
launch.serve()
