"""The compiled transformer computes what the reference does, and nothing is compiled after the start."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.prompt_keys import PromptKeys
from server.worker.messages import SpeedInfo, WorkerConfig
from server.worker.model import Model, load_model
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++, which is not here"),
    # Torch's compiler uses what torch has deprecated.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]

# Of the prompt's keys and values, and of the rest of a block; all blocks share them.
GRAPHS = 2


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
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Recorded, so that it is as before in other tests.
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache_dir / "compiled"))
        model = load_model(config, lambda component, done, total: progress.append(component))
        assert progress[-1] == "compile"
        yield model
    torch._dynamo.reset()


@pytest.mark.parametrize("case", ["t2v", "i2v", "keyframes-first-last", "keyframes-partial"], indirect=True)
def test_latents_equal_the_reference(case, model: Model, components: dict[str, Components], relative_error) -> None:
    compiled, eager = Recorder(), Recorder()
    for _ in ("computes the prompt's keys and values", "has kept them"):
        generate(model.components, case.spec, compiled)
        assert max(relative_error(compiled.kept[name], case.golden[name]) for name in RESULTS) < TOLERANCE

    generate(components[case.checkpoint], case.spec, eager)
    assert max(relative_error(compiled.kept[name], eager.kept[name]) for name in RESULTS) < 5e-5
    assert counters["stats"]["unique_graphs"] == GRAPHS
    assert not counters["graph_break"]


@pytest.mark.parametrize("case", ["t2v"], indirect=True)
def test_other_sizes_share_the_graphs(case, model: Model) -> None:
    # Without `forward`, which compiles nothing.
    recompiling = replace(model.components, forward=model.components.transformer, prompt_keys=PromptKeys())
    for width, height, num_frames in ((256, 128, 9), (64, 192, 33)):
        generate(recompiling, replace(case.spec, width=width, height=height, num_frames=num_frames), Recorder())

    assert counters["stats"]["unique_graphs"] == GRAPHS


@pytest.mark.parametrize("case", ["t2v"], indirect=True)
def test_frames_of_one_token_are_computed_eagerly(
    case, model: Model, components: dict[str, Components], relative_error
) -> None:
    spec = replace(case.spec, width=64, height=64)
    compiled, eager = Recorder(), Recorder()

    generate(model.components, spec, compiled)
    generate(components[case.checkpoint], spec, eager)

    assert max(relative_error(compiled.kept[name], eager.kept[name]) for name in RESULTS) < 5e-5
    assert counters["stats"]["unique_graphs"] == GRAPHS


def test_compiled_code_is_kept_in_the_cache_folder(model: Model, cache_dir: Path) -> None:
    assert model.info.speed == SpeedInfo("compile", compiled_blocks=model.components.transformer.config.num_layers)
    assert list((cache_dir / "compiled").rglob("*.so"))
