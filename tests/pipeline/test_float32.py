"""Float32 is computed as float32, not as TF32."""

from collections.abc import Callable, Iterator

import pytest
import torch

from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from weights.tiny import TinyFiles


def allowed() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.fixture(autouse=True)
def tf32() -> Iterator[None]:
    """Allow TF32, as torch does for convolutions and NVIDIA's containers do for matrix products."""
    before = allowed()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def test_the_vocoder_and_the_decoder_run_without_tf32(tiny: TinyFiles, spec: Callable[..., GenerationSpec]) -> None:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    components = load_components(files, torch.device("cpu"), torch.float32)
    found: list[tuple[bool, bool]] = []
    for module in (components.vocoder, components.video_vae.decoder.norm_out):
        module.register_forward_pre_hook(lambda module, args: found.append(allowed()))

    clip = generate(components, spec(), Trace())

    assert list(clip.frames)
    assert set(found) == {(False, False)}
    assert len(found) >= 2  # the vocoder and at least one chunk of frames
