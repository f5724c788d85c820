"""The tiny model, loaded once, and specs of small clips."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.spec import GenerationSpec
from weights.tiny import TinyFiles


@pytest.fixture(scope="session")
def components(tiny: TinyFiles) -> Components:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    return load_components(files, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def spec() -> Callable[..., GenerationSpec]:
    def make(**fields: Any) -> GenerationSpec:
        defaults: dict[str, Any] = {"prompt": "a fox", "seed": 1, "width": 128, "height": 64, "num_frames": 9}
        return GenerationSpec(**{**defaults, "frame_rate": Fraction(24), **fields})

    return make
