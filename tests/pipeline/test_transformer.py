"""The transformer: equal to diffusers' on the same weights, one graph whatever conditions a clip, few operations."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch._dynamo
from torch._dynamo.utils import counters
from torch.utils._python_dispatch import TorchDispatchMode

from pipelines.bench.operations import count_operations
from pipelines.bench.stock import diffusers_inputs, diffusers_transformer
from pipelines.geometry import LatentGrid
from pipelines.ltx.build import build_module
from pipelines.ltx.conditioning import Conditioning
from pipelines.ltx.fp8 import FP8, Fp8Linear, group_input_scales, use_fp8_linears
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.sampling import State, predict_velocity, prepare_audio, prepare_video
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.attention import Attention
from pipelines.ltx.transformer.block import PromptKeysValues
from pipelines.ltx.transformer.config import FIXED, TransformerConfig
from pipelines.ltx.transformer.model import Transformer
from weights.architecture import transformer_kwargs
from weights.load import quantize
from weights.tiny_config import CHECKPOINT_CONFIG

KWARGS = transformer_kwargs(CHECKPOINT_CONFIG["transformer"], CHECKPOINT_CONFIG["audio_vae"])
GRID = LatentGrid(frames=3, height=4, width=7)
FPS, SIGMA, AUDIO_LENGTH, PROMPT_LENGTH = 24.0, 0.9, 17, 40
PROMPT_SEED = 2

# All Linears of a block can multiply in FP8.
FP8_WIDTHS = {
    "num_attention_heads": 16,
    "attention_head_dim": 8,
    "cross_attention_dim": 128,
    "audio_num_attention_heads": 16,
    "audio_attention_head_dim": 4,
    "audio_cross_attention_dim": 64,
}

Build = Callable[..., Transformer]


@pytest.fixture(scope="module")
def build() -> Build:
    """Random weights that keep signals about their size; `fp8` for all layers whose widths fit."""

    def build_transformer(
        dtype: torch.dtype = torch.float32, fp8: bool = False, static: bool = False, blocks: int = 2, **widths: int
    ) -> Transformer:
        generator = torch.Generator().manual_seed(0)
        transformer = build_module("transformer", KWARGS | {"num_layers": blocks} | widths)
        assert isinstance(transformer, Transformer)
        if fp8:
            names = [f"{n}.weight" for n, m in transformer.transformer_blocks.named_modules(prefix="transformer_blocks")
                     if isinstance(m, torch.nn.Linear)]  # fmt: skip
            assert use_fp8_linears(transformer, names, names if static else ())
        for owner in transformer.modules():
            for name, parameter in owner._parameters.items():
                if parameter is None:
                    continue
                is_norm = isinstance(owner, torch.nn.RMSNorm)
                values = torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5
                if isinstance(owner, Fp8Linear) and name == "weight":
                    values, owner.weight_scale = quantize(values)
                    owner.input_scale = torch.tensor(0.02) if static else None
                else:
                    values = (1 + values if is_norm else values).to(dtype)
                owner._parameters[name] = torch.nn.Parameter(values, requires_grad=False)
        return transformer.eval()

    return build_transformer


def image(frame_idx: int, strength: float, grid: LatentGrid = GRID) -> Conditioning:
    return Conditioning(frame_idx, strength, torch.randn(1, grid.tokens_per_frame, 128))


# By what conditions the clip.
CONDITIONS: dict[str, tuple[Conditioning, ...]] = {
    "text": (),
    "an image": (image(0, 1.0),),
    "an image held in part": (image(0, 0.4),),
    "keyframes": (image(0, 1.0), image(11, 0.6), image(16, 1.0)),
}


def states(conditions: tuple[Conditioning, ...], grid: LatentGrid = GRID) -> tuple[State, State]:
    generator = torch.Generator().manual_seed(1)
    video = prepare_video(grid, FPS, conditions, torch.zeros(1, grid.tokens, 128))
    audio = prepare_audio(torch.zeros(1, AUDIO_LENGTH, 128))
    return video.noised(1.0, generator, torch.float32), audio.noised(1.0, generator, torch.float32)


def context(
    dtype: torch.dtype = torch.float32,
    widths: tuple[int, int] = (KWARGS["cross_attention_dim"], KWARGS["audio_cross_attention_dim"]),
    seed: int = PROMPT_SEED,
) -> Context:
    generator = torch.Generator().manual_seed(seed)
    return Context(*(torch.randn(1, PROMPT_LENGTH, width, generator=generator).to(dtype) for width in widths))


def guidance(
    scale: float = 5.0, alpha: float = 0.25, tau: float = 2.5, audio: bool = False, seed: int = 3
) -> EncodedGuidance:
    return EncodedGuidance(context(seed=seed), torch.tensor([scale, alpha, tau]), audio)


@torch.inference_mode()
def velocity(
    transformer: Transformer,
    conditions: tuple[Conditioning, ...],
    grid: LatentGrid = GRID,
    prompt: list[PromptKeysValues] | None = None,
    guidance: EncodedGuidance | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    return forward(transformer, conditions, grid, prompt, guidance)


def forward(
    transformer: Transformer,
    conditions: tuple[Conditioning, ...],
    grid: LatentGrid = GRID,
    prompt: list[PromptKeysValues] | None = None,
    guidance: EncodedGuidance | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    video, audio = states(conditions, grid)
    rotary, config = transformer.rotary_tables(video.coords, audio.coords), transformer.config
    prompts = context(transformer.dtype, (config.cross_attention_dim, config.audio_cross_attention_dim))
    return predict_velocity(transformer, video, audio, rotary, prompts, SIGMA, prompt, guidance)


@torch.inference_mode()
def diffusers_velocity(
    transformer: Any, conditions: tuple[Conditioning, ...], dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the stock forward, except that the gates between video and sound get the plain sigma."""
    inputs = diffusers_inputs(transformer, *states(conditions), context(dtype), SIGMA)
    for gate in (transformer.av_cross_attn_video_a2v_gate, transformer.av_cross_attn_audio_v2a_gate):
        gate.register_forward_pre_hook(lambda module, args: (inputs["sigma"], *args[1:]))
    output: tuple[torch.Tensor, torch.Tensor] = transformer(**inputs)
    return output


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found.float() - expected.float()).norm() / expected.float().norm())


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2e-6), (torch.bfloat16, 2e-2)], ids=["f32", "bf16"])
@pytest.mark.parametrize("conditions", CONDITIONS)
def test_computes_what_diffusers_does(conditions: str, dtype: torch.dtype, rounding: float, build: Build) -> None:
    transformer = build(dtype)
    found = velocity(transformer, CONDITIONS[conditions])
    expected = diffusers_velocity(diffusers_transformer(transformer), CONDITIONS[conditions], dtype)

    for stream, exact in zip(found, expected, strict=True):
        assert relative_error(stream, exact) < rounding


def test_a_prompt_that_was_kept_computes_the_same(build: Build) -> None:
    transformer = build()
    expected = velocity(transformer, ())
    kept: list[PromptKeysValues] = []

    filled = velocity(transformer, (), prompt=kept)
    found = velocity(transformer, CONDITIONS["an image"], prompt=kept)

    assert all(map(torch.equal, filled, expected))
    assert all(map(torch.equal, found, velocity(transformer, CONDITIONS["an image"])))
    tensors = [tensor for block in kept for stream in block for tensor in stream]
    assert sum(tensor.nbytes for tensor in tensors) == transformer.prompt_bytes(PROMPT_LENGTH)


@pytest.mark.parametrize("audio", [False, True], ids=["video", "video and sound"])
def test_a_guided_prompt_that_was_kept_computes_the_same(audio: bool, build: Build) -> None:
    transformer = build()
    guided = guidance(audio=audio)
    expected = velocity(transformer, (), guidance=guided)
    kept: list[PromptKeysValues] = []

    filled = velocity(transformer, (), prompt=kept, guidance=guided)
    stronger = guidance(9.0, audio=audio)
    found = velocity(transformer, (), prompt=kept, guidance=stronger)

    assert all(map(torch.equal, filled, expected))
    assert all(map(torch.equal, found, velocity(transformer, (), guidance=stronger)))
    assert not torch.equal(found[0], expected[0])
    tensors = [tensor for block in kept for stream in block for tensor in stream]
    kept_bytes = sum(tensor.nbytes for tensor in tensors)
    assert transformer.prompt_bytes(PROMPT_LENGTH) < kept_bytes <= 2 * transformer.prompt_bytes(PROMPT_LENGTH)


def test_guidance_of_alpha_0_or_away_from_the_prompt_itself_changes_nothing(build: Build) -> None:
    transformer = build()
    plain = velocity(transformer, ())
    itself = guidance(seed=PROMPT_SEED, audio=True)

    assert all(map(torch.equal, velocity(transformer, (), guidance=guidance(alpha=0.0, audio=True)), plain))
    for stream, exact in zip(velocity(transformer, (), guidance=itself), plain, strict=True):
        assert relative_error(stream, exact) < 1e-6


def test_keeps_the_sigmas_of_one_prompt_that_there_is_room_for() -> None:
    keys, first, second = PromptKeys(), context(), context()
    assert keys.at(first, (1.0, 1.0), 10) is None

    keys.limit(25)
    kept = {sigma: keys.at(first, sigma, 10) for sigma in ((0.9, 0.9), (0.8, 0.8))}
    assert all(keys.at(first, sigma, 10) is lists for sigma, lists in kept.items())
    keys.at(first, (0.7, 0.7), 10)
    assert keys.at(first, (0.8, 0.8), 10) is kept[0.8, 0.8]
    assert keys.at(first, (0.9, 0.9), 10) is not kept[0.9, 0.9]
    keys.limit(15)
    assert keys.at(first, (0.8, 0.8), 10) is not kept[0.8, 0.8]
    assert keys.at(second, (0.8, 0.8), 10) is not keys.at(first, (0.8, 0.8), 10)
    assert keys.at(second, (0.8, 0.0), 10) is not keys.at(second, (0.8, 0.8), 10)
    guided = keys.at((first, second), (0.8, 0.8), 10)
    assert keys.at((first, second), (0.8, 0.8), 10) is guided
    assert keys.at((first, context()), (0.8, 0.8), 10) is not guided
    keys.limit(9)
    assert keys.at(first, (0.8, 0.8), 10) is None


@pytest.mark.parametrize("key", FIXED)
def test_refuses_a_configuration_that_it_does_not_compute(key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key} is None, not "):
        TransformerConfig.of(KWARGS | {key: None})


@pytest.fixture
def compiler() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def compiled(transformer: Transformer, monkeypatch: pytest.MonkeyPatch) -> Transformer:
    """Without a C++ compiler: the graph itself runs."""
    forward = torch.compile(transformer.forward, backend="eager", fullgraph=True, dynamic=True)
    monkeypatch.setattr(transformer, "forward", forward)
    return transformer


@pytest.mark.parametrize("arithmetic", ["fp8", "static fp8"])
def test_one_graph_whatever_conditions_a_clip(
    arithmetic: str, build: Build, compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In FP8; `tests/parity/test_compiled.py` is the test of float32, of guided clips and of other sizes."""
    transformer = build(fp8=True, static="static" in arithmetic, blocks=1)
    expected = [velocity(transformer, conditions) for conditions in CONDITIONS.values()]

    compiled(transformer, monkeypatch)
    found = [velocity(transformer, conditions) for conditions in CONDITIONS.values()]

    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    for streams, exact in zip(found, expected, strict=True):
        # Where rounding differs, a value may be quantised to its other neighbour.
        assert max(map(relative_error, streams, exact)) < 5e-3


def test_a_block_computes_few_operations_the_same_with_images(build: Build) -> None:
    def per_block(conditions: tuple[Conditioning, ...]) -> int:
        transformer = build()
        two = count_operations(lambda: forward(transformer, conditions)).computed.total()
        del transformer.transformer_blocks[1]
        return two - count_operations(lambda: forward(transformer, conditions)).computed.total()

    counts = {name: per_block(conditions) for name, conditions in CONDITIONS.items()}
    assert set(counts.values()) == {per_block(())}
    assert per_block(()) <= 228


class Quantisations(TorchDispatchMode):
    """Counts how often values are converted to FP8."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count += func is torch.ops.aten.copy_.default and result.dtype == FP8
        return result


def count_quantisations(transformer: Transformer) -> int:
    with Quantisations() as quantisations:
        velocity(transformer, ())
    return quantisations.count


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
def test_a_block_quantises_each_of_its_inputs_once(static: bool, build: Build) -> None:
    transformer = build(fp8=True, static=static, blocks=1, **FP8_WIDTHS)
    assert sum(isinstance(module, Fp8Linear) for module in transformer.modules()) == 34

    group_input_scales(transformer)

    assert count_quantisations(transformer) == 20


def test_layers_share_an_input_only_if_their_scales_are_equal_in_every_block(build: Build) -> None:
    transformer = build(fp8=True, static=True, **FP8_WIDTHS)
    first, _ = transformer.transformer_blocks
    attentions = [module for module in first.modules() if isinstance(module, Attention)]
    for attention in attentions:
        attention.to_gate_logits.input_scale = torch.tensor(0.03)
    alone = velocity(transformer, ())
    assert count_quantisations(transformer) == 2 * 34

    group_input_scales(transformer)

    assert count_quantisations(transformer) == 2 * (20 + len(attentions))
    assert all(map(torch.equal, velocity(transformer, ()), alone))
