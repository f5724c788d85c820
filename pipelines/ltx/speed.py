"""Run the transformer faster: compiled, and on a GPU replayed from CUDA graphs."""

from dataclasses import replace
from enum import StrEnum
from functools import partial

import torch

from pipelines.errors import PipelineError
from pipelines.geometry import audio_latent_length, latent_grid, position_fps
from pipelines.lora_size import RANK_STEP
from pipelines.ltx.components import Components
from pipelines.ltx.graphs import StepGraphs
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.sampling import predict_velocity, prepare_audio, prepare_video
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.block import PromptKeysValues
from pipelines.ltx.transformer.guidance import Negative
from pipelines.ltx.transformer.model import Modality, RotaryTables, Transformer
from pipelines.memory import DEFAULT_CLIP, PROMPT_ROWS, SMALLEST_CLIP, denoise_bytes

# Any: compiled code depends on the shapes alone.
EXAMPLE_SIGMA = 0.9
# Plain and guided, without and with LoRAs, for each kind of block: those in FP8, those in BF16, a few between them.
MAX_VARIANTS = 4 * 4
EXAMPLE_STRENGTHS = (5.0, 0.25, 2.5)
# No other dimension of the example, nor of a layer, has this length: the compiler would take them for the same.
EXAMPLE_RANK = 7 * RANK_STEP


class Speed(StrEnum):
    """`compile`: each block of the transformer is compiled. `graphs`: that, and each step is one CUDA graph."""

    EAGER = "eager"
    COMPILE = "compile"
    GRAPHS = "graphs"


class CompileError(PipelineError):
    """Torch cannot compile here."""


def require_compiler() -> None:
    """Raise CompileError if there is no C++ compiler, which torch's compiler needs for a CPU and for a GPU."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as exc:
        raise CompileError("there is no C++ compiler: install g++") from exc


def speed_up(components: Components, speed: Speed, with_loras: bool = False) -> Components:
    """Return the components with a faster `forward`, unless the transformer's weights are streamed.

    Everything is compiled now, so that no clip waits for it. with_loras: also what clips with LoRAs need, of any rank.
    Raises CompileError.
    """
    if possible_speed(components, speed) is Speed.EAGER:
        return components
    compile_blocks(components, with_loras)
    forward = partial(run_compiled, components.transformer)
    if speed is Speed.COMPILE:
        return replace(components, forward=forward)
    graphs = StepGraphs(forward, partial(denoise_bytes, components.plan.widths))
    return replace(components, forward=graphs, graphs=graphs)


def possible_speed(components: Components, speed: Speed) -> Speed:
    """Return the speed, or `eager` if the transformer's weights are streamed: its blocks change tensors as they run."""
    return Speed.EAGER if "transformer" in components.plan.streamed else speed


def compile_blocks(components: Components, with_loras: bool) -> None:
    for block in components.transformer.transformer_blocks:
        block.compile(fullgraph=True, dynamic=True)
    components.loras.is_uniform = True
    try:
        with torch._dynamo.config.patch(recompile_limit=MAX_VARIANTS):
            run_example(components)
            if with_loras:
                run_example_with_loras(components)
    except Exception as exc:
        # What the compiler raises is not documented; memory may also run out.
        raise CompileError(first_line(exc)) from exc


def run_compiled(
    transformer: Transformer,
    video: Modality,
    audio: Modality,
    rotary: RotaryTables,
    prompt: list[PromptKeysValues] | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the transformer; eagerly what was not compiled at the start, such as latent frames of one token."""
    with torch.compiler.set_stance("eager_on_recompile"):
        return run_compilable(transformer, video, audio, rotary, prompt)


def run_compilable(
    transformer: Transformer,
    video: Modality,
    audio: Modality,
    rotary: RotaryTables,
    prompt: list[PromptKeysValues] | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the transformer so that guided steps share one code: if only the video is, the sound is to no effect."""
    if video.negative is not None and audio.negative is None:
        nothing = Negative(torch.zeros_like(audio.context), torch.zeros_like(video.negative.strengths))
        audio = audio._replace(negative=nothing)
    velocities: tuple[torch.Tensor, torch.Tensor] = transformer(video, audio, rotary, prompt)
    return velocities


@torch.inference_mode()
def run_example(components: Components) -> None:
    """Run a step of a default clip, or of the smallest if that does not fit, on noise: plain, then guided."""
    transformer, device = components.transformer, components.device
    config = transformer.config
    clip = DEFAULT_CLIP if components.plan.fits(DEFAULT_CLIP) else SMALLEST_CLIP
    grid = latent_grid(clip)

    def noise(rows: int, width: int) -> torch.Tensor:
        return torch.randn(1, rows, width, device=device)

    video = prepare_video(grid, position_fps(clip.frame_rate), (), noise(grid.tokens, config.in_channels))
    audio = prepare_audio(noise(audio_latent_length(clip), config.audio_in_channels))
    prompt, negative = (
        Context(
            noise(PROMPT_ROWS, config.cross_attention_dim).to(components.dtype),
            noise(PROMPT_ROWS, config.audio_cross_attention_dim).to(components.dtype),
        )
        for _ in range(2)
    )
    rotary = transformer.rotary_tables(video.coords, audio.coords)
    strengths = torch.tensor(EXAMPLE_STRENGTHS, device=device)
    for guidance in (None, EncodedGuidance(negative, strengths, has_audio=True)):
        predict_velocity(transformer, video, audio, rotary, prompt, EXAMPLE_SIGMA, guidance=guidance)


@torch.inference_mode()
def run_example_with_loras(components: Components) -> None:
    components.loras.use_example(EXAMPLE_RANK)
    run_example(components)
    components.loras.remove_example()


def first_line(exc: Exception) -> str:
    """Return the first line of the error itself, which torch wraps in one of its own."""
    cause = getattr(exc, "inner_exception", exc)
    return f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
