"""One denoising step of a clip, apart from the clip: its inputs and its graph breaks."""

from dataclasses import dataclass, replace

import torch

from pipelines.geometry import audio_latent_length, latent_grid, position_fps
from pipelines.ltx.components import Components
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.pipeline import encode_pictures, prepare_pictures
from pipelines.ltx.sampling import State, modalities, predict_velocity, prepare_audio, prepare_video
from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.model import Forward, RotaryTables, Transformer
from pipelines.spec import GenerationSpec


@dataclass(frozen=True)
class Step:
    """The first step of a clip's last stage, whose latents are noise. forward: what runs the transformer."""

    transformer: Transformer
    forward: Forward
    video: State
    audio: State
    context: Context
    sigma: float
    rotary: RotaryTables
    guidance: EncodedGuidance | None = None

    @classmethod
    def of(cls, components: Components, spec: GenerationSpec) -> "Step":
        with torch.inference_mode():
            context, wanted = components.encode_prompt(spec.prompt), spec.effective_guidance
            guidance = None if wanted is None else EncodedGuidance.of(wanted, components.encode_prompt)
            grid = latent_grid(spec)
            conditionings = encode_pictures(components, prepare_pictures(spec), {grid})[grid]
        # Tensors of inference mode can be neither counted nor traced like others, but their copies can.
        context = copied(context)
        if guidance is not None:
            guidance = replace(guidance, context=copied(guidance.context), strengths=guidance.strengths.clone())
        config, generator = components.transformer.config, torch.Generator(components.device).manual_seed(spec.seed)
        empty_video = torch.zeros(1, grid.tokens, config.in_channels, device=components.device)
        empty_audio = torch.zeros(1, audio_latent_length(spec), config.audio_in_channels, device=components.device)
        sigma = (STAGE_2_SIGMAS if spec.stages == 2 else STAGE_1_SIGMAS)[0]
        video = prepare_video(grid, position_fps(spec.frame_rate), conditionings, empty_video)
        audio = prepare_audio(empty_audio)
        return cls(
            components.transformer,
            components.forward,
            video.noised(sigma, generator, components.dtype),
            audio.noised(sigma, generator, components.dtype),
            context,
            sigma,
            components.transformer.rotary_tables(video.coords, audio.coords),
            guidance,
        )

    def velocity(self) -> tuple[torch.Tensor, torch.Tensor]:
        return predict_velocity(
            self.forward, self.video, self.audio, self.rotary, self.context, self.sigma, guidance=self.guidance
        )


def copied(context: Context) -> Context:
    return Context(context.video.clone(), context.audio.clone())


def count_graph_breaks(step: Step) -> int:
    """Return how often torch's compiler would leave the step's graph; the graph runs eagerly, without a compiler."""
    import torch._dynamo

    streams = modalities(step.video, step.audio, step.context, step.sigma, step.guidance)
    with torch.no_grad():
        explained = torch._dynamo.explain(step.transformer.forward)(*streams, step.rotary)
    torch._dynamo.reset()
    return int(explained.graph_break_count)
