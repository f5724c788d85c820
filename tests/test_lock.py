"""The lock files have the versions in constraints.txt: `make lock` was run after the last change."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a file, by its normalised name."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_every_pin_but_torch_is_locked() -> None:
    constraints = pins("constraints.txt")
    del constraints["torch"]

    # The lock also has packages of other platforms.
    assert constraints.items() <= pins("requirements-dev.lock").items()


def test_both_locks_agree() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()
