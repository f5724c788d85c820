"""Set what torch reads from the environment: how threads wait, how memory is allocated, where compiled code is kept."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

# Torch reads the first of them that is set.
VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")

# Without this, clips of different sizes leave gaps that no later allocation fits into.
EXPANDABLE = {"expandable_segments": "True"}

# Torch rounds a block of pinned memory up to a power of two, unless it is too large to be kept for reuse: with this
# limit Gemma takes 23.5 GB instead of 26.3. (`pinned_max_round_threshold_mb` alone corrupts memory in torch 2.13:
# https://github.com/pytorch/pytorch/pull/192722.)
EXACT_PINNED = {"pinned_max_cached_size_mb": "1"}
EXACT_PINNED_SINCE = (2, 13)


def wait_passively() -> None:
    """Make threads sleep instead of spin at the end of each kernel: the encoder and the server need the cores too.

    On 2 shared cores, spinning threads used 39 s of CPU time where sleeping ones used 17 s. Variables that the
    environment already sets are kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def configure_allocator() -> None:
    """Set how torch allocates a card's memory and pinned host memory, unless the environment sets it already."""
    name = next((name for name in VARIABLES if os.environ.get(name)), VARIABLES[0])
    os.environ[name] = with_options(os.environ.get(name, ""), known_options(version("torch")))


def keep_compiled(folder: Path) -> Path:
    """Make torch's compiler keep its results there, unless the environment names a folder. Return the one it is."""
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder)))


def known_options(torch_version: str) -> Mapping[str, str]:
    """Return the options that this version of torch knows; it refuses any other."""
    major, minor = map(int, torch_version.split(".")[:2])
    return EXPANDABLE | (EXACT_PINNED if (major, minor) >= EXACT_PINNED_SINCE else {})


def with_options(setting: str, options: Mapping[str, str]) -> str:
    """Return the setting with the options that it does not name yet."""
    named = {part.partition(":")[0].strip() for part in setting.split(",")}
    added = (f"{name}:{value}" for name, value in options.items() if name not in named)
    return ",".join(filter(None, (setting, *added)))
