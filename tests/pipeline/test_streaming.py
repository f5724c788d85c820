"""Memory levels with real models: all give the same clip, and a model that does not fit is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.models import WeightFiles, open_models
from pipelines.ltx.pipeline import generate
from pipelines.ltx.streaming import BLOCKS_ON_DEVICE, weight_bytes, working_bytes
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.ltx.trace import Trace
from pipelines.memory import MemoryLevel
from pipelines.spec import GenerationSpec
from weights.errors import UnsupportedError
from weights.tiny import TinyFiles

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(tiny: TinyFiles) -> WeightFiles:
    return WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)


class Results(Trace):
    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def tensors(self, **tensors: torch.Tensor) -> None:
        self.kept.update(tensors)


def results(components: Components, spec: GenerationSpec) -> dict[str, torch.Tensor]:
    trace = Results()
    generate(components, spec, trace)
    return trace.kept


@pytest.mark.parametrize("fp8", list(Fp8Mode))
@pytest.mark.parametrize("level", [MemoryLevel.BALANCED, MemoryLevel.LOW])
def test_a_streamed_model_gives_the_same_result(
    level: MemoryLevel, fp8: Fp8Mode, files: WeightFiles, spec: Callable[..., GenerationSpec]
) -> None:
    resident = load_components(files, CPU, torch.float32, fp8=fp8)
    streamed = load_components(files, CPU, torch.float32, fp8=fp8, memory=level)

    assert streamed.plan.streamed
    for clip in (spec(prompt="one"), spec(prompt="two", seed=2)):
        expected = results(resident, clip)
        for name, tensor in results(streamed, clip).items():
            assert torch.equal(tensor, expected[name]), name


def test_sizes_are_known_before_anything_is_loaded(files: WeightFiles) -> None:
    opened = open_models(files, torch.bfloat16, Fp8Mode.DEQUANTIZE, TextQuantization.NONE)
    planned = opened.sizes()
    assert all(parameter.is_meta for model in opened.models.values() for parameter in model.module.parameters())

    components = load_components(files, CPU, torch.bfloat16)
    text_encoder, connectors = components.encode_prompt.modules
    loaded = {
        name: getattr(components, name) for name in ("transformer", "video_vae", "audio_vae", "vocoder", "upsampler")
    }
    for name, module in {**loaded, "text_encoder": text_encoder, "connectors": connectors}.items():
        found = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
        # Buffers that are in no file keep their own dtype: some kilobytes.
        assert planned[name].size_bytes == pytest.approx(found, rel=0.01), name
    assert planned.keys() == {*loaded, "text_encoder", "connectors"}


def test_a_streamed_model_has_a_few_blocks_on_the_device() -> None:
    module = torch.nn.ModuleDict({"head": torch.nn.Linear(10, 5, bias=False)})
    module.add_module("blocks", torch.nn.ModuleList(torch.nn.Linear(10, 10, bias=False) for _ in range(20)))

    assert weight_bytes(module, item_bytes=2) == 2 * (50 + 20 * 100)
    assert working_bytes(module, item_bytes=2) == 2 * (50 + BLOCKS_ON_DEVICE * 100)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(files: WeightFiles) -> None:
    read: list[str] = []
    with pytest.raises(
        UnsupportedError, match=r"needs 0\.\d GB of memory with --memory resident, 0\.3 GB .*--memory low"
    ):
        load_components(
            files,
            CPU,
            torch.float32,
            lambda component, done, total: read.append(component),
            capacity_bytes=300_000_000,
        )
    assert read == []


def test_every_level_is_tried_before_a_refusal(files: WeightFiles) -> None:
    with pytest.raises(UnsupportedError, match=r"with --memory low, .*a larger device is needed"):
        load_components(files, CPU, torch.float32, memory=None, capacity_bytes=300_000_000)


def test_quantised_text_encoders_are_not_streamed(tiny: TinyFiles, tmp_path: Path) -> None:
    opened = {
        quantization: open_models(
            WeightFiles(tiny.checkpoint, tiny.text_encoder), torch.bfloat16, Fp8Mode.DEQUANTIZE, quantization
        ).sizes()["text_encoder"]
        for quantization in TextQuantization
    }

    sizes = [opened[q].size_bytes for q in (TextQuantization.NONE, TextQuantization.INT8, TextQuantization.NF4)]
    assert sizes == sorted(sizes, reverse=True)
    assert opened[TextQuantization.NONE].working_bytes is not None
    assert opened[TextQuantization.NF4].working_bytes is None
