"""Read the published configs of LTX-2.3 22B.

data/ holds the `config` metadata of ltx-2.3-22b-distilled-1.1 and the constructor arguments of its latent upsampler.
"""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


def full_config() -> dict[str, Any]:
    """Return the `config` of the published checkpoint; a copy of the caller's own."""
    return _read("ltx-2.3-22b-distilled-1.1.json")


def full_upsampler_config() -> dict[str, Any]:
    """Return the `config` of the published upsampler; a copy of the caller's own."""
    return _read("ltx-2.3-spatial-upscaler-x2-1.1.json")


def _read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((DATA / name).read_text())
    return config
