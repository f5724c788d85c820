"""Compiled and recorded steps on a GPU; skipped without one."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.speed import Speed, speed_up
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from weights.tiny import TinyFiles

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA = torch.device("cuda")
SPEC = GenerationSpec("a fox", 1, 256, 256, 25, Fraction(24))
Load = Callable[[], Components]


@pytest.fixture
def load(tiny: TinyFiles) -> Iterator[Load]:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    torch._dynamo.reset()
    yield lambda: load_components(files, CUDA, torch.float32)
    torch._dynamo.reset()


def final_latent(components: Components, spec: GenerationSpec = SPEC) -> torch.Tensor:
    kept: dict[str, torch.Tensor] = {}

    class Recorder(Trace):
        def tensors(self, **tensors: torch.Tensor) -> None:
            kept.update(tensors)

    generate(components, spec, Recorder())
    return kept["stage_2_video"]


@pytest.mark.parametrize("speed", [Speed.COMPILE, Speed.GRAPHS])
def test_it_computes_what_the_eager_transformer_does(speed: Speed, load: Load) -> None:
    expected = [final_latent(load(), replace(SPEC, seed=seed)) for seed in (1, 2)]
    components = speed_up(load(), speed)

    for _ in range(2):
        found = [final_latent(components, replace(SPEC, seed=seed)) for seed in (1, 2)]
        for latent, exact in zip(found, expected, strict=True):
            assert (latent - exact).norm() / exact.norm() < 1e-4


def test_a_graph_is_recorded_while_another_thread_asks_the_driver(load: Load) -> None:
    components, ended = speed_up(load(), Speed.GRAPHS), threading.Event()

    def ask() -> None:
        while not ended.is_set():
            torch.cuda.mem_get_info(CUDA)

    heartbeat = threading.Thread(target=ask)
    heartbeat.start()
    try:
        final_latent(components)
    finally:
        ended.set()
        heartbeat.join()

    assert components.graphs is not None
    assert len(components.graphs) == 2


def test_a_graph_holds_no_more_memory_than_it_is_counted_with(load: Load) -> None:
    components = speed_up(load(), Speed.GRAPHS)
    final_latent(components)
    torch.cuda.empty_cache()

    assert components.graphs is not None
    held_bytes = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    # Torch reserves whole segments of 20 MB.
    assert held_bytes < components.graphs.kept_bytes + 4 * 20 * 2**20
