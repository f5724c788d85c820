"""The dev checkpoint, recognised by its name and metadata alone: refused, and reported by `inspect`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.diffusers_folder import copy_folder
from tests.weights.test_published_files import sparse_file
from weights.errors import UnsupportedError
from weights.header import TensorInfo
from weights.inspect import inspect
from weights.names import MODEL
from weights.published import published_tensors
from weights.source import open_source
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS, TEXT_WIDTH

CONFIG = json.dumps(CHECKPOINT_CONFIG)
SCHEDULER = CHECKPOINT_CONFIG["scheduler"]


@pytest.fixture(scope="module")
def tensors() -> dict[str, TensorInfo]:
    return published_tensors(CHECKPOINT_CONFIG, TEXT_LAYERS + 1)


def with_scheduler(**parts: Any) -> dict[str, str]:
    return {"config": json.dumps(CHECKPOINT_CONFIG | {"scheduler": SCHEDULER | parts})}


@pytest.mark.parametrize(
    ("metadata", "evidence"),
    [
        (with_scheduler(checkpoint="ltx-2.3-22b-dev"), "its metadata 'config' says 'ltx-2.3-22b-dev'"),
        (with_scheduler(variants=[{"name": "Dev"}]), "its metadata 'config' says 'Dev'"),
        ({"modelspec.title": "LTX-2.3 22B (dev)"}, "its metadata 'modelspec.title' says 'LTX-2.3 22B (dev)'"),
        ({"model_version": "2.3.0_dev"}, "its metadata 'model_version' says '2.3.0_dev'"),
        (
            {"modelspec.title": "LTX-2.3 dev", "modelspec.description": "not distilled"},
            "its metadata 'modelspec.title' says 'LTX-2.3 dev'",
        ),
        ({"name": "LTX-2.3 dev", "modelspec.author": "distilled-fan"}, "its metadata 'name' says 'LTX-2.3 dev'"),
    ],
)
def test_metadata_that_says_dev_is_refused(
    metadata: dict[str, str], evidence: str, tensors: Mapping[str, TensorInfo], tmp_path: Path
) -> None:
    path = sparse_file(tmp_path / "distilled.safetensors", tensors, **({"config": CONFIG} | metadata))

    with pytest.raises(UnsupportedError) as caught:
        open_source(path, caption_channels=TEXT_WIDTH)

    assert str(caught.value).startswith(f"{path}: looks like the dev checkpoint, not the distilled one: {evidence};")
    assert inspect(path).looks_dev == evidence


@pytest.mark.parametrize(
    "metadata",
    [
        {"modelspec.title": "LTX-2.3 22B distilled, from dev"},
        {"license": "developed for devices; see https://lightricks.dev/licence and /dev/null"},
        {"torch": "2.14.0.dev20261101"},
        {"broken": '["devs', "number": "23"},
        {"modelspec.author": "pixel-dev"},
        {"author": json.dumps({"name": "pixel-dev"})},
        {"modelspec.description": "the dev team's favourite; not the dev model"},
        {"tags": json.dumps(["dev", "video"])},
        {"base_model": "ltx-2.3-22b-dev"},
        {"diffusers_version": "0.40.0-dev"},
        {"modelspec.title": "Devon, developed"},
        {"workflow": json.dumps({"nodes": [{"ckpt_name": "ltx-2.3-22b-dev.safetensors"}]})},
        {"modelspec.title": "LTX-2.3 distilled", "modelspec.merged_from": "ltx-2.3-22b-dev + a LoRA"},
    ],
)
def test_metadata_with_other_words_is_accepted(
    metadata: dict[str, str], tensors: Mapping[str, TensorInfo], tmp_path: Path
) -> None:
    path = sparse_file(tmp_path / "model.safetensors", tensors, **({"config": CONFIG} | metadata))

    assert open_source(path, caption_channels=TEXT_WIDTH).checkpoint.path == path
    assert inspect(path).looks_dev is None


@pytest.mark.parametrize("name", ["ltx-2.3-22b-dev.safetensors", "LTX_23_DEV_bf16.safetensors"])
def test_a_name_that_says_dev_is_refused_with_the_remedy(
    name: str, tensors: Mapping[str, TensorInfo], tmp_path: Path
) -> None:
    path = sparse_file(tmp_path / name, tensors, config=CONFIG)

    with pytest.raises(UnsupportedError, match=rf"its name is '{name}'; this server runs .* fixed 8 steps .* renamed"):
        open_source(path, caption_channels=TEXT_WIDTH)


@pytest.mark.parametrize("name", ["ltx-2.3-22b-distilled-from-dev.safetensors", "devon.safetensors"])
def test_a_name_that_says_distilled_or_nothing_is_accepted(
    name: str, tensors: Mapping[str, TensorInfo], tmp_path: Path
) -> None:
    path = sparse_file(tmp_path / name, tensors, config=CONFIG)

    assert inspect(path).looks_dev is None
    assert open_source(path, caption_channels=TEXT_WIDTH)


def test_every_name_along_a_chain_of_links_counts(tensors: Mapping[str, TensorInfo], tmp_path: Path) -> None:
    """A hub's cache names files by their hashes; only the link has the real name."""
    (tmp_path / "blobs").mkdir()
    blob = sparse_file(tmp_path / "blobs/0a1d7aac", tensors, config=CONFIG)
    named = tmp_path / "ltx-2.3-22b-dev.safetensors"
    named.symlink_to(Path("blobs") / blob.name)
    (tmp_path / "model.safetensors").symlink_to(named.name)

    for path in (named, tmp_path / "model.safetensors"):
        assert inspect(path).looks_dev == "its name is 'ltx-2.3-22b-dev.safetensors'"
    assert inspect(blob).looks_dev is None


def test_a_part_that_both_share_may_come_from_the_dev_file(tensors: Mapping[str, TensorInfo], tmp_path: Path) -> None:
    """The dev file has the same VAEs as the distilled one."""
    vae = {name: info for name, info in tensors.items() if name.startswith("vae.")}
    rest = {name: info for name, info in tensors.items() if name not in vae}
    companion = sparse_file(tmp_path / "ltx-2.3-22b-dev_video_vae.safetensors", vae)
    main = sparse_file(tmp_path / "transformer.safetensors", rest, config=CONFIG)

    assert open_source(main, [companion], caption_channels=TEXT_WIDTH).checkpoint.stored.keys() == tensors.keys()
    assert inspect(companion).looks_dev is None
    assert any(name.startswith(MODEL) for name in rest)


def test_inspect_reports_a_dev_folder(tiny_folder: Path, tmp_path: Path) -> None:
    folder = copy_folder(tiny_folder, tmp_path / "folder")
    assert inspect(folder).looks_dev is None

    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"shift_terminal": 0.1}))

    assert inspect(folder).looks_dev == "scheduler/scheduler_config.json shifts its sigmas"
