"""Set how torch's CPU threads wait for each other. Call it before torch is imported."""

import os


def wait_passively() -> None:
    """Make threads sleep instead of spin at the end of each kernel: the encoder and the server need the cores too.

    Spinning threads took 39 s of CPU time for what sleeping ones did in 17, on 2 cores that others used as well.
    Variables that the environment sets already are kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
