"""Plain requests keep the bytes of their clips, on one machine.

The hashes are those of the server before it took directions; that of the sound is from when each of its tokens got a
noise level of its own, which changed last digits.

CPUs of other models compute other last digits, which gives other bytes. There,
`python -m pytest tests/http/test_plain_bytes.py -rs` prints the machine's name and its hashes. Add them to HASHES only
from a server that is known to be unchanged.
"""

import hashlib
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import Clip, encode, picture

Generate = Callable[..., Clip]

KEYFRAMES = [{"image_b64": encode(picture()), "frame_idx": 0}, {"image_b64": encode(picture()), "frame_idx": -1}]
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {"seed": 1},
    "image and sound": {"seed": 2, "input_image_b64": encode(picture()), "generate_audio": True},
    "keyframes": {"seed": 3, "keyframes": KEYFRAMES, "num_frames": 17},
    "webm": {"seed": 4, "video_format": "webm", "width": 320},
}

# By machine.
HASHES: dict[str, dict[str, str]] = {
    "AMD EPYC 25 17 1, 2 cores, torch 2.13.0+cpu, av 18.1.0": {
        "text": "49e2523ac014c169df04a982693974ee09d0f8a46bf2fd54add4571f82dfbbb0",
        "image and sound": "6900d4bf345e0891385420b3fdb169a708278b95b68b353c0ae0d302b7fb08b1",
        "keyframes": "e326dc107eb984d897347f3103e89569231c9a377ffd0aac74d0dc98b7633072",
        "webm": "bcf54e16ace0e64400c6be5afa9f7a031f3eadcb181bfdad55aa15d415692b71",
    },
}

# Every direction at the value that changes nothing.
NEUTRAL: dict[str, Any] = {
    "nag_scale": 1,
    "nag_alpha": 0.25,
    "nag_tau": 2.5,
    "nag_audio": False,
    "loras": [],
    "tail_guard": "off",
    "embed_metadata": False,
}


def machine() -> str:
    """Return what the bytes of a clip depend on beside the request: the processor and the libraries."""
    fields: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    cpu = [fields.get(name, platform.machine()) for name in ("model name", "cpu family", "model", "stepping")]
    return f"{' '.join(cpu)}, {os.cpu_count()} cores, torch {version('torch')}, av {version('av')}"


def digest(clip: Clip) -> str:
    return hashlib.sha256(clip.content).hexdigest()


def test_plain_requests_have_the_bytes_that_they_had(generate: Generate) -> None:
    found = {name: digest(generate(**fields)) for name, fields in REQUESTS.items()}

    if machine() not in HASHES:
        pytest.skip(f"no hashes are stored for {machine()!r}: {found}")
    assert found == HASHES[machine()]


@pytest.mark.parametrize("name", REQUESTS)
def test_directions_at_their_neutral_values_change_no_byte(generate: Generate, name: str) -> None:
    fields = REQUESTS[name]

    assert digest(generate(**fields, **NEUTRAL)) == digest(generate(**fields))
