"""LoRAs of clips: what they change, what they leave, and what remains of them."""

import copy
import gc
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.direction import Guidance, LoraStrength
from pipelines.errors import SpecError
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode, project
from pipelines.ltx.lora import read_branches
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.streaming import StreamedModel
from pipelines.ltx.text import PromptEncoder
from pipelines.memory import RESERVED_BYTES, SMALLEST_CLIP
from pipelines.spec import GenerationSpec
from tests.lora_layouts import LAYOUTS, Tensors, peft_metadata, random_lora
from tests.pipeline.test_graphs import Recorder, are_equal, latents, with_graphs
from weights.header import read_header
from weights.lora import CONNECTORS_PREFIX, Lora, LoraReader
from weights.regular_file import FileVersion
from weights.tiny import TinyFiles

Spec = Callable[..., GenerationSpec]
Write = Callable[..., LoraStrength]

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(random_tiny: TinyFiles) -> WeightFiles:
    return WeightFiles(random_tiny.checkpoint, random_tiny.text_encoder, random_tiny.upsampler)


@pytest.fixture(scope="module")
def components(files: WeightFiles) -> Components:
    return load_components(files, CPU, torch.float32)


@pytest.fixture
def write(tmp_path: Path, components: Components) -> Write:
    """Write a LoRA of random values, or of the given ones."""

    def write_lora(
        name: str, rank: int = 4, strength: float = 1.0, tensors: Tensors | None = None, **metadata: str
    ) -> LoraStrength:
        path = tmp_path / f"{name}.safetensors"
        transformer = {k: v for k, v in components.loras.linears.items() if not k.startswith(CONNECTORS_PREFIX)}
        save_file(random_lora(transformer, rank, seed=len(name)) if tensors is None else tensors, path, metadata)
        return LoraStrength(name, path, strength)

    return write_lora


def read(components: Components, lora: LoraStrength) -> Lora:
    return LoraReader(components.loras.linears).read(read_header(lora.path))


def merged(components: Components, *loras: LoraStrength) -> Components:
    """Return a copy of the models with LoRAs added to their weights."""
    components.loras.release()
    transformer = copy.deepcopy(components.transformer)
    text_encoder, connectors = copy.deepcopy(components.encode_prompt.modules)
    for strength in loras:
        lora = read(components, strength)
        for name, branch in read_branches(lora, FileVersion.of(lora.path), torch.float32).items():
            module = connectors if name.startswith(CONNECTORS_PREFIX) else transformer
            weight = module.get_parameter(name.removeprefix(CONNECTORS_PREFIX) + ".weight")
            weight.data += strength.strength * branch.up @ branch.down
    encoder = PromptEncoder(components.encode_prompt._tokenizer, text_encoder, connectors, CPU)
    return replace(
        components, transformer=transformer, forward=transformer, encode_prompt=encoder, prompt_keys=PromptKeys()
    )


def error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    return max(float((found[n] - t).abs().max() / t.abs().max()) for n, t in expected.items() if n != "waveform")


def test_a_branch_changes_the_clip_as_merged_weights_do(components: Components, spec: Spec, write: Write) -> None:
    wide = random_lora(components.loras.linears, 3, seed=7)  # with the connectors
    loras = (write("first", 4, 0.8), write("second", 6, -0.5), write("third", 3, 1.5, wide))
    plain = latents(components, spec())

    for used in (loras[:1], loras[:2], loras, loras[2:]):
        found = latents(components, spec(loras=used))
        assert error(found, latents(merged(components, *used), spec())) < 1e-4
        assert error(found, plain) > 1e-2


def test_a_guided_clip_has_loras_too(components: Components, spec: Spec, write: Write) -> None:
    lora, guidance = write("some", 4), Guidance("a dog", audio=True)

    found = latents(components, spec(loras=(lora,), guidance=guidance))

    assert error(found, latents(merged(components, lora), spec(guidance=guidance))) < 1e-4
    assert error(found, latents(components, spec(loras=(lora,)))) > 1e-3


def test_strength_0_and_a_clip_after_another_are_the_plain_clip(
    components: Components, spec: Spec, write: Write
) -> None:
    plain = latents(components, spec())
    lora = write("some")

    changed = latents(components, spec(loras=(lora,)))

    assert not are_equal(changed, plain)
    assert are_equal(latents(components, spec(loras=(replace(lora, strength=0.0),))), plain)
    assert are_equal(latents(components, spec(loras=(lora,))), changed)
    assert are_equal(latents(components, spec()), plain)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_matrices(layout: str, components: Components, write: Write) -> None:
    linears = {k: v for k, v in components.loras.linears.items() if not k.startswith(CONNECTORS_PREFIX)}
    tensors = random_lora(linears, 4, seed=1)
    expected = read(components, write("published", tensors=tensors))
    lora = read(components, write("other", tensors=LAYOUTS[layout](tensors)))

    matrices = read_branches(expected, FileVersion.of(expected.path), torch.float32)
    found = read_branches(lora, FileVersion.of(lora.path), torch.float32)

    assert found.keys() == matrices.keys() == linears.keys()
    for name, branch in found.items():
        assert torch.allclose(branch.up @ branch.down, matrices[name].up @ matrices[name].down, atol=1e-6), name


def test_the_scale_of_the_metadata_is_applied(components: Components, write: Write) -> None:
    tensors = load_file(write("some", 4).path)
    lora = read(components, write("scaled", tensors=tensors, **peft_metadata(r=4, lora_alpha=8)))

    branches = read_branches(lora, FileVersion.of(lora.path), torch.float32)

    name = "transformer_blocks.0.attn1.to_q"
    assert torch.equal(branches[name].up, 2 * tensors[f"diffusion_model.{name}.lora_B.weight"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_an_error_that_leaves_the_model_as_it_was(
    value: float, components: Components, spec: Spec, write: Write
) -> None:
    plain = latents(components, spec())
    tensors = load_file(write("some").path)
    tensors["diffusion_model.transformer_blocks.1.attn2.to_k.lora_B.weight"][2, 1] = value
    damaged = write("damaged", tensors=tensors)

    with pytest.raises(SpecError, match=r"loras.1.name: the LoRA 'damaged' cannot be used: .*1.attn2.to_k.lora_B"):
        latents(components, spec(loras=(write("some"), damaged)))

    assert are_equal(latents(components, spec()), plain)


def test_a_file_that_changes_is_read_again_and_one_that_is_gone_is_an_error(
    components: Components, spec: Spec, write: Write
) -> None:
    lora = write("some", 4)
    before = latents(components, spec(loras=(lora,)))

    write("some", 6)
    after = latents(components, spec(loras=(lora,)))
    assert not are_equal(after, before)

    lora.path.unlink()
    with pytest.raises(SpecError, match=r"loras.0.name: the LoRA 'some' cannot be used: .*some.safetensors"):
        latents(components, spec(loras=(lora,)))


def test_a_file_that_shrinks_after_its_header_was_read_is_an_error(components: Components, write: Write) -> None:
    """Nothing is mapped: a mapped file that shrinks would end the process."""
    lora = write("some")
    (opened,) = components.loras.open([lora])
    os.truncate(lora.path, lora.path.stat().st_size // 2)

    with pytest.raises(SpecError, match=r"loras.0.name: the LoRA 'some' cannot be used: .* ends inside"):
        components.loras.use([opened])
    components.loras.release()


def test_switching_leaves_nothing_behind(components: Components, spec: Spec, write: Write) -> None:
    small = spec(generate_audio=False, stages=1, width=64, height=64)
    loras = [write("some", 4), write("other", 8)]

    def live_bytes() -> int:
        gc.collect()
        return sum(each.nbytes for each in gc.get_objects() if type(each) in (torch.Tensor, torch.nn.Parameter))

    for used in ((loras[0],), (loras[1],), tuple(loras), ()):
        components.begin(replace(small, loras=used))
    before = live_bytes()

    for number in range(50):
        components.begin(replace(small, loras=(replace(loras[number % 2], strength=number / 10),)))
    in_use = live_bytes()
    components.begin(small)

    assert in_use > before
    # The matrices of the last file stay in the cache.
    assert live_bytes() <= before + loras[1].path.stat().st_size
    assert all(layer.low_rank is None for layer in components.loras._layers.values())


@pytest.mark.parametrize("fp8", [Fp8Mode.DEQUANTIZE, Fp8Mode.SCALED_ALL])
def test_a_streamed_model_has_the_same_loras(fp8: Fp8Mode, files: WeightFiles, spec: Spec, write: Write) -> None:
    resident, streamed = (load_components(files, CPU, torch.float32, fp8=fp8) for _ in range(2))
    stream = StreamedModel(streamed.transformer, CPU)
    lora = write("some")

    for kept, loras in ((0, (lora,)), (2, ()), (2, (lora,))):
        stream.keep(kept)
        clip = spec(stages=1, loras=loras)
        assert are_equal(latents(streamed, clip), latents(resident, clip))


def test_fp8_layers_quantise_a_shared_input_once_and_keep_their_weights(files: WeightFiles, write: Write) -> None:
    loaded = load_components(files, CPU, torch.float32, fp8=Fp8Mode.SCALED_ALL)
    block = loaded.transformer.get_submodule("transformer_blocks.0.attn1")
    linears = [layer for layer in block.children() if isinstance(layer, Fp8Linear)]
    assert len(linears) == 3
    x = torch.randn(2, 3, linears[0].in_features)
    plain, weights = project(x, *linears), [linear.weight.view(torch.uint8).clone() for linear in linears]

    loaded.loras.use(loaded.loras.open([write("some", strength=0.5)]))

    for output, before, linear in zip(project(x, *linears), plain, linears, strict=True):
        assert linear.low_rank is not None
        down, up = linear.low_rank
        assert torch.allclose(output, before + x @ down.T @ up.T, atol=1e-5)
        assert torch.equal(output, linear(x))
    assert all(torch.equal(w, linear.weight.view(torch.uint8)) for w, linear in zip(weights, linears, strict=True))


def test_loras_of_one_rank_share_the_graphs_and_plain_clips_keep_theirs(
    files: WeightFiles, spec: Spec, write: Write
) -> None:
    loaded, recorder = load_components(files, CPU, torch.float32), Recorder()
    loaded.loras.is_uniform = True
    replayed = with_graphs(loaded, recorder)
    some, other, third = write("some", 4), write("another", 8), write("of the third", 20)
    one_stage = partial(spec, stages=1)

    for loras, recorded in (
        ((), 1), ((some,), 2), ((other,), 2), ((some, replace(other, strength=0.3)), 2), ((), 2), ((third,), 2),
        ((some, third, other), 2), ((replace(some, strength=0),), 2), ((some,), 2),
    ):  # fmt: skip
        found = latents(replayed, one_stage(loras=loras))
        assert recorder.recorded == recorded
        assert error(found, latents(merged(loaded, *loras), one_stage())) < 1e-4

    # More ranks than the tensors have: others take their place, and the graphs on them are recorded anew.
    wide = write("a wide one", 40)
    assert error(latents(replayed, one_stage(loras=(wide,))), latents(merged(loaded, wide), one_stage())) < 1e-4
    assert recorder.recorded == 3
    assert replayed.graphs is not None
    assert len(replayed.graphs) == 2


def test_the_plan_counts_loras_and_names_those_that_do_not_fit(
    components: Components, spec: Spec, write: Write
) -> None:
    lora = write("some", 4)
    clip = components.clip_size(spec(loras=(lora,)))
    assert clip.lora_bytes == sum(t.nbytes for t in load_file(lora.path).values())
    assert components.clip_size(spec(loras=(replace(lora, strength=0.0),))).lora_bytes == 0

    smallest = replace(SMALLEST_CLIP, lora_bytes=clip.lora_bytes, lora_names=clip.lora_names)
    peak = components.plan.peak_bytes(SMALLEST_CLIP) + RESERVED_BYTES
    enough = replace(components.plan, capacity_bytes=peak + 2 * clip.lora_bytes)
    enough.validate(smallest)
    with pytest.raises(SpecError, match=r"loras: some need .* GB of memory beside 256x256 .*; leave out a LoRA"):
        replace(enough, capacity_bytes=peak + clip.lora_bytes).validate(smallest)


def test_generating_needs_a_lora_for_this_model(components: Components, spec: Spec, write: Write) -> None:
    tensors = load_file(write("some").path)
    tensors["diffusion_model.transformer_blocks.0.attn1.to_q.lora_A.weight"] = torch.ones(4, 7)

    with pytest.raises(SpecError, match=r"loras.0.name: the LoRA 'large' .* is a LoRA of another model"):
        generate(components, spec(loras=(write("large", tensors=tensors),)), trace=None)  # type: ignore[arg-type]
