"""Upscaler 1.0 in place of 1.1: recognised by its hash, and warned about but not refused."""

import hashlib
import io
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.ltx.models import WeightFiles
from server.commands.announce import Announcer
from server.settings import Settings
from server.worker.messages import ModelInfo, Ready, WorkerConfig
from server.worker.model import find_warnings
from weights.full_config import full_upsampler_config
from weights.lookalike import find_lookalike
from weights.published import upsampler_tensors
from weights.registry import UPSCALER
from weights.source import open_upsampler
from weights.store import Store
from weights.tiny import TinyFiles

assert UPSCALER.file is not None
PUBLISHED = UPSCALER.file


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an upscaler of zeros with a real header and exactly the published size."""
    path = tmp_path_factory.mktemp("other") / "ltx-2.3-spatial-upscaler-x2.safetensors"
    config = full_upsampler_config()
    entries: dict[str, object] = {"__metadata__": {"config": json.dumps(config, separators=(",", ":"))}}
    end = 0
    for name, info in upsampler_tensors(config).items():
        entries[name] = {"dtype": info.dtype, "shape": info.shape, "data_offsets": [end, end + info.size_bytes]}
        end += info.size_bytes
    length = PUBLISHED.size_bytes - 8 - end
    header = json.dumps(entries, separators=(",", ":")).encode().ljust(length)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", length) + header)
        file.truncate(PUBLISHED.size_bytes)
    return path


def test_a_file_of_the_same_size_with_another_hash_is_warned_about(
    other: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    config = WorkerConfig(tmp_path, tmp_path / "weights")

    (warning,) = find_warnings(config, WeightFiles(tiny.checkpoint, tiny.text_encoder, other))

    assert open_upsampler(other).architecture["upsampler"]["mid_channels"] == 1024
    assert warning == (
        f"{other} has the size of ltx-2.3-spatial-upscaler-x2-1.1.safetensors, but not its sha256: "
        "upscaler 1.0 has the same size as 1.1, and leaves artefacts in long videos"
    )


def test_the_terminal_shows_the_warning() -> None:
    out = io.StringIO()

    Announcer(Settings(), 8000, out)(Ready(ModelInfo("a", False, "cpu", "float32", warnings=("upscaler 1.0",))))

    assert "  Note: upscaler 1.0\n" in out.getvalue()


def test_other_sizes_and_folders_are_not_warned_about(tiny: TinyFiles, tmp_path: Path) -> None:
    store = Store(tmp_path)

    assert find_lookalike(tiny.upsampler, store) is None
    assert find_lookalike(tiny.text_encoder, store) is None
    assert find_warnings(WorkerConfig(tmp_path, tmp_path), WeightFiles(tiny.checkpoint, tiny.text_encoder)) == ()


def test_the_published_file_is_recognised_by_its_hash_and_read_once(tiny: TinyFiles, tmp_path: Path) -> None:
    """A small file stands in for the published one."""
    content = tiny.upsampler.read_bytes()
    file = replace(PUBLISHED, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    part, store = replace(UPSCALER, file=file), Store(tmp_path)
    path = store.path(part)
    path.parent.mkdir(parents=True)
    shutil.copy(tiny.upsampler, path)
    assert find_lookalike(path, store, part) is None

    path.write_bytes(bytes(len(content)))
    warning = find_lookalike(path, store, part)
    assert warning is not None
    assert "upscaler 1.0" in warning
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    store.mark_verified(part, file, file.sha256 or "")
    # A file recorded as verified is not read again, under any name.
    assert find_lookalike(path, store, part) is None
    assert find_lookalike(link, store, part) is None
