"""Recorded steps. Without a GPU the recording computes again, on the fixed tensors, whenever it is repeated."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pipelines.direction import Guidance
from pipelines.ltx.components import Components
from pipelines.ltx.graphs import Compute, StepGraphs, Tensors
from pipelines.ltx.pipeline import generate
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.trace import Trace
from pipelines.memory import KEPT_SHARE, RESERVED_BYTES, ClipSize, denoise_bytes
from pipelines.spec import GenerationSpec, Keyframe

Spec = Callable[..., GenerationSpec]


class Recorder:
    def __init__(self, failures: int = 0) -> None:
        self.recorded, self._failures = 0, failures

    def __call__(self, compute: Compute) -> tuple[Callable[[], None], Tensors]:
        if self._failures:
            self._failures -= 1
            raise torch.OutOfMemoryError("no memory for a graph")
        self.recorded += 1
        outputs = compute()

        def repeat() -> None:
            for fixed, computed in zip(outputs, compute(), strict=True):
                fixed.copy_(computed)

        return repeat, outputs


def with_graphs(components: Components, recorder: Recorder, **options: Any) -> Components:
    activation_bytes = partial(denoise_bytes, components.plan.widths)
    graphs = StepGraphs(components.transformer, activation_bytes, recorder, **options)
    return replace(components, forward=graphs, graphs=graphs, prompt_keys=PromptKeys())


def latents(components: Components, spec: GenerationSpec) -> dict[str, torch.Tensor]:
    class Kept(Trace):
        def tensors(self, **tensors: torch.Tensor) -> None:
            found.update(tensors)

    found: dict[str, torch.Tensor] = {}
    generate(components, spec, Kept())
    return found


def are_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.effect_noise((128, 64), 80).convert("RGB").save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_clips_of_one_size_share_a_graph_for_each_stage(components: Components, spec: Spec, image: Path) -> None:
    recorder = Recorder()
    replayed = with_graphs(components, recorder)

    for fields in (
        {},
        {"seed": 2, "prompt": "another prompt"},
        {"keyframes": (Keyframe(image),)},
        {"keyframes": (Keyframe(image, strength=0.5),)},
    ):
        assert are_equal(latents(replayed, spec(**fields)), latents(components, spec(**fields)))
    assert recorder.recorded == 2

    appended = spec(keyframes=(Keyframe(image), Keyframe(image, 5)))
    assert are_equal(latents(replayed, appended), latents(components, appended))
    assert recorder.recorded == 4


def test_guided_clips_share_a_graph_whatever_the_strengths(components: Components, spec: Spec) -> None:
    recorder = Recorder()
    replayed = with_graphs(components, recorder)
    latents(replayed, spec())

    for guidance in (
        Guidance("blue"),
        Guidance("a red square", scale=7, alpha=0.5, tau=1.1),
    ):
        assert are_equal(latents(replayed, spec(guidance=guidance)), latents(components, spec(guidance=guidance)))
        assert recorder.recorded == 4
    both = spec(guidance=Guidance("blue", audio=True))
    assert are_equal(latents(replayed, both), latents(components, both))
    assert are_equal(latents(replayed, spec()), latents(components, spec()))
    assert recorder.recorded == 6


def test_a_result_is_not_overwritten_by_the_next_step(components: Components, spec: Spec) -> None:
    replayed = with_graphs(components, Recorder())
    found: list[torch.Tensor] = []
    expected: list[torch.Tensor] = []

    def watched(*args: Any) -> Any:
        found.extend(replayed.forward(*args))
        expected.extend(components.transformer(*args))
        return expected[-2:]

    latents(replace(replayed, forward=watched), spec())

    assert len(found) == 2 * 11
    assert all(map(torch.equal, found, expected))


def test_the_graphs_used_longest_ago_are_dropped(components: Components, spec: Spec) -> None:
    recorder = Recorder()
    replayed = with_graphs(components, recorder, max_graphs=4)
    assert replayed.graphs is not None
    sizes = [{}, {"width": 192}, {}, {"height": 128}]

    for fields in sizes:
        latents(replayed, spec(**fields))
    assert (recorder.recorded, len(replayed.graphs)) == (6, 4)

    latents(replayed, spec())
    assert recorder.recorded == 6
    latents(replayed, spec(width=192))
    assert recorder.recorded == 8


def test_graphs_take_only_the_memory_that_clips_leave(components: Components, spec: Spec) -> None:
    recorder = Recorder()
    replayed = with_graphs(components, recorder)
    graphs = replayed.graphs
    assert graphs is not None
    latents(replayed, spec())
    both_bytes = graphs.kept_bytes
    assert replayed.kept_bytes == both_bytes > 0

    # The graph of stage 2 alone fits; then none does.
    for room_bytes, kept in ((both_bytes - 1, 1), (0, 0)):
        plan = replace(components.plan, capacity_bytes=capacity(components, spec(), room_bytes))
        small = replace(replayed, plan=plan)
        assert are_equal(latents(small, spec()), latents(components, spec()))
        assert len(graphs) == kept
        assert graphs.kept_bytes <= room_bytes


def capacity(components: Components, spec: GenerationSpec, room_bytes: int) -> int:
    return round((components.plan.peak_bytes(ClipSize.of(spec)) + RESERVED_BYTES + room_bytes) / KEPT_SHARE)


def test_what_cannot_be_recorded_runs_without_a_graph_until_the_next_clip(
    components: Components, spec: Spec, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(failures=1)
    replayed = with_graphs(components, recorder)
    assert replayed.graphs is not None

    assert are_equal(latents(replayed, spec()), latents(components, spec()))
    assert (recorder.recorded, len(replayed.graphs)) == (1, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "no CUDA graph for 4 and 9 tokens: no memory for a graph"
    ]

    latents(replayed, spec())
    assert (recorder.recorded, len(replayed.graphs)) == (2, 2)
