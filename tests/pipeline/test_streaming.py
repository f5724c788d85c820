"""Streaming with real models: all levels give the same clip, and a model that does not fit is refused."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from pipelines.ltx.components import Components, load_components, validate_host_room, validate_room
from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.models import WeightFiles, open_models
from pipelines.ltx.pipeline import generate
from pipelines.ltx.plan import PlannedFiles, shape_models
from pipelines.ltx.streaming import StreamedModel, part_bytes, weight_bytes
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.ltx.trace import Trace
from pipelines.memory import ComponentSize, MemoryLevel, choose_plan, kept_parts
from pipelines.spec import GenerationSpec
from server.process.torch_environment import EXACT_PINNED
from weights.errors import UnsupportedError
from weights.tiny import TinyFiles

CPU, META = torch.device("cpu"), torch.device("meta")


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
def test_a_streamed_model_gives_the_same_result(
    fp8: Fp8Mode, files: WeightFiles, spec: Callable[..., GenerationSpec]
) -> None:
    """Here the buffers that take turns are in the same memory, but the blocks are copied to them as to a card."""
    resident = load_components(files, CPU, torch.float32, fp8=fp8)
    streamed = load_components(files, CPU, torch.float32, fp8=fp8)
    text_encoder, _ = streamed.encode_prompt.modules
    streams = [StreamedModel(module, CPU) for module in (streamed.transformer, text_encoder)]

    clips = (spec(prompt=prompt, stages=1) for prompt in ("one", "two", "three"))
    for kept, clip in zip((0, 3, 100), clips, strict=True):
        for stream in streams:
            stream.keep(kept)
        expected = results(resident, clip)
        for name, tensor in results(streamed, clip).items():
            assert torch.equal(tensor, expected[name]), name


@pytest.fixture
def network() -> torch.nn.Module:
    """A module with 8 blocks, each of one tensor of 400 bytes, and 200 bytes outside them."""
    return Network()


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(10, 5, bias=False)
        self.blocks = torch.nn.ModuleList(torch.nn.Linear(10, 10, bias=False) for _ in range(8))
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        result: torch.Tensor = self.head(x)
        return result


@pytest.mark.parametrize("kept", range(10))
def test_no_more_is_on_the_device_than_was_planned(kept: int, network: Network) -> None:
    """The device is `meta`, so that a tensor tells where it is."""
    size = ComponentSize(weight_bytes(network, 4), part_bytes(network, 4))
    seen: list[int] = []
    stream = StreamedModel(network, META)
    stream.keep(kept)

    assert on_device(network) == size.kept_bytes(kept)
    for block in [*network.blocks, network.head]:
        # Before the hooks that let go of a block.
        block.register_forward_hook(lambda *_: seen.append(on_device(network)), prepend=True)
    network(torch.zeros(1, 10, device=META))

    assert max(seen) == size.kept_bytes(kept) + size.working_bytes(kept)
    assert on_device(network) == size.kept_bytes(kept)


def on_device(network: torch.nn.Module) -> int:
    return sum(parameter.nbytes for parameter in network.parameters() if parameter.is_meta)


def test_parts_that_stay_can_be_changed_between_clips(network: Network) -> None:
    stream, size = StreamedModel(network, META), ComponentSize(0, part_bytes(network, 4))

    for kept in (9, 2, 0, 5):
        stream.keep(kept)
        network(torch.zeros(1, 10, device=META))
        assert on_device(network) == size.kept_bytes(kept)


def test_after_a_failure_the_next_pass_computes_the_same(network: Network) -> None:
    x = torch.randn(1, 10, generator=torch.Generator().manual_seed(1))
    expected = network(x)
    StreamedModel(network, CPU)

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        network(torch.zeros(1, 11))
    assert torch.equal(network(x), expected)


def test_parts_that_stay_are_spread_and_stay_when_more_do() -> None:
    for parts in (0, 1, 2, 9, 49):
        chosen = [kept_parts(parts, count) for count in range(parts + 2)]
        assert [len(kept) for kept in chosen] == [*range(parts + 1), parts]
        assert all(fewer <= more for fewer, more in pairwise(chosen))
    assert 0 in kept_parts(49, 1)
    streamed = sorted(set(range(49)) - kept_parts(49, 33))
    assert all(1 < later - earlier <= 4 for earlier, later in pairwise(streamed))


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


def test_a_model_that_has_no_room_is_refused_before_it_is_read(files: WeightFiles) -> None:
    """On a CPU what is streamed takes the same memory, so `low` helps no more than any other level."""
    read: list[str] = []
    for level in (None, *MemoryLevel):
        with pytest.raises(
            UnsupportedError,
            match=r"needs 0\.\d GB of memory with --memory .*, 0\.3 GB are there; more memory is needed",
        ):
            load_components(
                files,
                CPU,
                torch.float32,
                lambda component, done, total: read.append(component),
                memory=level,
                capacity_bytes=300_000_000,
            )
    assert read == []


@pytest.mark.parametrize(("capacity_gb", "advice"), [(0.6, "try --memory low"), (0.3, "a larger device is needed")])
def test_a_card_without_room_is_refused_with_what_helps(capacity_gb: float, advice: str, files: WeightFiles) -> None:
    models = open_models(files, torch.float32, Fp8Mode.DEQUANTIZE, TextQuantization.NONE)
    wanted = MemoryLevel.RESIDENT if "low" in advice else None
    plan = choose_plan(wanted, models.sizes(), models.widths(), round(capacity_gb * 1e9))

    with pytest.raises(UnsupportedError, match=advice):
        validate_room(plan, files.checkpoint)


def test_a_host_without_room_for_what_is_streamed_is_refused(files: WeightFiles) -> None:
    models = open_models(files, torch.float32, Fp8Mode.DEQUANTIZE, TextQuantization.NONE)
    plan = choose_plan(MemoryLevel.LOW, models.sizes(), models.widths(), 24 * 10**9)

    validate_host_room(plan, files.checkpoint, plan.host_bytes)
    with pytest.raises(UnsupportedError, match=r"of pinned host memory with --memory low, .* GB are available; .*4bit"):
        validate_host_room(plan, files.checkpoint, plan.host_bytes - 1)


def test_quantised_text_encoders_are_not_streamed(tiny: TinyFiles, tmp_path: Path) -> None:
    opened = {
        quantization: open_models(
            WeightFiles(tiny.checkpoint, tiny.text_encoder), torch.bfloat16, Fp8Mode.DEQUANTIZE, quantization
        ).sizes()["text_encoder"]
        for quantization in TextQuantization
    }

    sizes = [opened[q].size_bytes for q in (TextQuantization.NONE, TextQuantization.INT8, TextQuantization.NF4)]
    assert sizes == sorted(sizes, reverse=True)
    assert opened[TextQuantization.NONE].part_bytes
    assert not opened[TextQuantization.NF4].part_bytes


def test_the_published_models_take_no_more_pinned_memory_than_planned() -> None:
    """Torch rounds blocks up to powers of two, with the options of a worker only those of up to 1 MB."""
    from transformers import Gemma3TextModel

    models = shape_models(PlannedFiles(None), torch.bfloat16, Fp8Mode.SCALED, TextQuantization.NONE)
    with META:
        gemma = [tensor.numel() * 2 for tensor in Gemma3TextModel(models.text.config).parameters()]
    limit = int(EXACT_PINNED["pinned_max_cached_size_mb"]) * 2**20
    exact = sum(size if size > limit else rounded(size) for size in gemma)

    assert sum(map(rounded, gemma)) > 1.1 * sum(gemma)
    assert exact == pytest.approx(models.sizes()["text_encoder"].size_bytes, rel=1e-4)


def rounded(size_bytes: int) -> int:
    return 1 << (size_bytes - 1).bit_length()
