"""The compiled transformer computes what the reference does, and nothing is compiled after the start."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch._dynamo
import torch._inductor.config
from torch._dynamo.utils import counters
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from pipelines.bench.operations import count_operations
from pipelines.bench.report import count_step
from pipelines.bench.step import Step
from pipelines.direction import Guidance, LoraStrength
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.speed import run_compilable
from pipelines.spec import GenerationSpec
from server.worker.messages import SpeedInfo, WorkerConfig
from server.worker.model import Model, load_model
from tests.parity.conftest import load_cases
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++, which is not here"),
    # Torch's compiler uses what torch has deprecated.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]

# Of the prompt's keys and values, and of the rest of a block, each plain and guided, without and with LoRAs; all blocks
# share them.
GRAPHS = 8

# The backend that runs the operations of a graph as they are. Inductor and g++ take minutes for all of them.
EAGER = "eager"


@pytest.fixture(scope="module")
def model(checkpoints: dict[str, Path], data: Path, cache_dir: Path) -> Iterator[Model]:
    torch._dynamo.reset()
    counters.clear()
    progress: list[str] = []
    config = WorkerConfig(
        cache_dir,
        checkpoint=checkpoints["bf16"],
        upsampler=data / "ltx-tiny-spatial-upscaler-x2.safetensors",
        text_encoder=data / "text_encoder",
        device="cpu",
        speed="compile",
        with_loras=True,
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Torch's own folder, which outlives the tests.
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", default_cache_dir())
        with torch.compiler.set_stance("default", force_backend=EAGER):
            model = load_model(config, lambda component, done, total: progress.append(component))
        assert progress[-1] == "compile"
        assert model.info.speed == SpeedInfo("compile", compiled_blocks=3)
        yield model
    torch._dynamo.reset()


def latents(used: Components, spec: GenerationSpec) -> dict[str, torch.Tensor]:
    recorder = Recorder()
    generate(used, spec, recorder)
    return {name: recorder.kept[name] for name in RESULTS}


def compiling(model: Model) -> Components:
    """Return the components that compile what a clip needs, which `forward` does only at the start."""
    return replace(model.components, forward=partial(run_compilable, model.components.transformer))


def test_every_clip_is_rendered_by_the_graphs_of_the_start(
    model: Model,
    components: dict[str, Components],
    data: Path,
    relative_error,
) -> None:
    def error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
        return max(relative_error(found[name], expected[name]) for name in RESULTS)

    def latents_without_recompiling(spec: GenerationSpec) -> dict[str, torch.Tensor]:
        found = latents(compiling(model), spec)
        assert counters["stats"]["unique_graphs"] == GRAPHS
        return found

    with torch.compiler.set_stance("default", force_backend=EAGER):
        plain_cases = load_cases("t2v", "i2v", "keyframes-first-last", "keyframes-partial")
        # Guided: the video alone, and both. With a given sound, and with one of which a part is kept.
        directed = load_cases("nag", "nag-clipped-audio", "audio-driven", "audio-driven-image", "retake-two-stage")
        for case in plain_cases + directed:
            assert error(latents_without_recompiling(case.spec), case.golden) < TOLERANCE

        # Of another size; with keys and values of the prompt that were kept.
        spec = replace(plain_cases[0].spec, width=256, height=64, num_frames=33)
        plain = latents_without_recompiling(spec)
        assert error(plain, latents(components["bf16"], spec)) < 5e-5

        # With LoRAs of other ranks, and without them again.
        folder = data / "directions"
        lora, other = (LoraStrength(name, folder / f"{name}.safetensors", 0.8) for name in ("lora-a", "lora-b"))
        for loras in (lora,), (lora, other), (other,):
            changed = replace(spec, loras=loras)
            latents_without_recompiling(replace(changed, guidance=Guidance("snow")))
            found = latents_without_recompiling(changed)
            assert error(found, latents(components["bf16"], changed)) < 5e-5
            assert error(found, plain) > 1e-2
        latents_without_recompiling(replace(spec, guidance=Guidance("snow")))
        found = latents_without_recompiling(spec)
        assert all(torch.equal(found[name], plain[name]) for name in RESULTS)

        # Latent frames of one token would need another graph.
        smallest = replace(spec, width=64)
        assert error(latents(model.components, smallest), latents(components["bf16"], smallest)) < 5e-5

        assert counters["stats"]["unique_graphs"] == GRAPHS
        assert not counters["graph_break"]


def test_inductor_computes_what_eager_torch_does(
    model: Model, components: dict[str, Components], relative_error
) -> None:
    """The graphs of a guided clip with LoRAs have the operations of all others."""
    guided, with_loras = load_cases("nag-clipped-audio", "lora-two")
    spec = replace(guided.spec, loras=with_loras.spec.loras, width=256, height=64, num_frames=33)
    torch._dynamo.reset()
    counters.clear()
    model.components.prompt_keys.limit(0)

    # With one thread, no processes are started that would each import torch.
    with torch._inductor.config.patch(compile_threads=1):
        found = latents(compiling(model), spec)

    assert counters["stats"]["unique_graphs"] == 2
    expected = latents(components["bf16"], spec)
    assert max(relative_error(found[name], expected[name]) for name in RESULTS) < 5e-5

    # Counting forgets what was compiled.
    counts = count_step(model.components, spec, Step.of(model.components, spec))
    assert (counts.graph_breaks, counts.recompiles) == (0, 0)
    assert counts.operations == count_operations(Step.of(components["bf16"], spec).velocity).computed.total()
