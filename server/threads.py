"""How torch's CPU threads wait for each other. Has to be said before torch is imported."""

import os


def wait_passively() -> None:
    """Sleep rather than spin at the end of each kernel: the encoder, the server and other programs want the cores too.

    Spinning threads took 39 s of CPU time for what sleeping ones did in 17, on 2 cores that others used as well.
    What the environment says already is left as it is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
