"""The published layout at full size: its counts are those of the real file, and every name has a place in a module."""

import json
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path

import pytest

from pipelines.ltx.build import build_module, officially_fp8
from weights.architecture import read_architecture
from weights.checkpoint import Checkpoint, open_checkpoint
from weights.full_config import full_config
from weights.full_model import TEXT_LAYERS
from weights.header import Header, TensorInfo
from weights.load import validate_coverage, validate_match
from weights.names import ONE_FILE
from weights.published import published_tensors, upsampler_tensors

DATA = Path(__file__).parent / "data"
FULL_CONFIG = full_config()


@pytest.fixture(scope="module")
def full() -> Checkpoint:
    return open_checkpoint(header(published_tensors(FULL_CONFIG, TEXT_LAYERS), config=json.dumps(FULL_CONFIG)))


def header(tensors: Mapping[str, TensorInfo], **metadata: str) -> Header:
    return Header(Path("ltx-2.3.safetensors"), metadata, tensors)


def test_the_layout_has_the_tensors_of_the_22b_file(full: Checkpoint) -> None:
    groups = Counter(name.split(".")[0] for name in full.tensors)
    dtypes = Counter(info.dtype for info in full.tensors.values())

    assert groups == {"model": 4444, "vae": 170, "vocoder": 1227, "audio_vae": 102, "text_embedding_projection": 4}
    assert dtypes == {"BF16": 5657, "F32": 290}
    assert sum(prod(info.shape) for info in full.tensors.values()) == pytest.approx(23.07e9, rel=1e-3)


def test_the_layout_has_the_tensors_of_the_upsampler_file() -> None:
    tensors = upsampler_tensors({"mid_channels": 1024, "in_channels": 128, "num_blocks_per_stage": 4})

    assert len(tensors) == 72
    assert sum(info.size_bytes for info in tensors.values()) == 995_735_808


def test_the_architecture_equals_that_of_diffusers(full: Checkpoint) -> None:
    expected = json.loads((DATA / "diffusers-kwargs-full.json").read_text())
    architecture = read_architecture(full)

    found = {name: getattr(architecture, name) for name in ONE_FILE}
    assert json.loads(json.dumps(found)) == {"video_vae": expected.pop("vae"), **expected}


def test_the_architecture_is_the_same_without_the_config(full: Checkpoint) -> None:
    bare = open_checkpoint(header(full.tensors), caption_channels=FULL_CONFIG["transformer"]["caption_channels"])

    assert read_architecture(bare) == read_architecture(full)


def test_the_official_fp8_layers_are_those_of_the_middle_blocks(full: Checkpoint) -> None:
    transformer = build_module("transformer", read_architecture(full).transformer)
    names = officially_fp8(transformer)

    assert len(names) == 34 * 43 == 1462
    assert {name.split(".")[1] for name in names} == {str(i) for i in range(4, 47)}


@pytest.mark.parametrize("component", ONE_FILE)
def test_every_parameter_at_full_size_has_its_tensor(component: str, full: Checkpoint) -> None:
    module = build_module(component, getattr(read_architecture(full), component))

    assert validate_match(module, full, ONE_FILE[component])


def test_every_tensor_at_full_size_has_its_component(full: Checkpoint) -> None:
    validate_coverage(full, ONE_FILE.values())
