"""The distilled flow in two stages with diffusers' own pipelines, for comparisons with ours."""

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.bench.stock import diffusers_transformer
from pipelines.ltx.components import Components
from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS
from pipelines.spec import GenerationSpec

# From diffusers/LTX-2.3-Distilled-Diffusers.
SCHEDULER = {
    "use_dynamic_shifting": False,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
    "shift_terminal": None,
}

# The distilled model runs without guidance; each of these would be another pass.
NO_GUIDANCE = {
    "guidance_scale": 1.0,
    "stg_scale": 0.0,
    "modality_scale": 1.0,
    "guidance_rescale": 0.0,
    "audio_guidance_scale": 1.0,
    "audio_stg_scale": 0.0,
    "audio_modality_scale": 1.0,
    "audio_guidance_rescale": 0.0,
}


@dataclass(frozen=True)
class StockLatents:
    """The latents after both stages as diffusers passes them on: unpacked, on the VAEs' own scales."""

    video: torch.Tensor
    audio: torch.Tensor


@dataclass(frozen=True)
class StockClip:
    """frames: (n, H, W, 3) in 0 .. 1. waveform: (2, samples), None without sound."""

    frames: Any
    waveform: torch.Tensor | None


class KnownContext(nn.Module):
    """Stands for the connectors: returns the encoded prompt that they computed once."""

    def __init__(self, *encoded: torch.Tensor) -> None:
        super().__init__()
        self._encoded = encoded
        # Of the pipeline's models; it takes those of the first one for its own.
        self.device, self.dtype = encoded[0].device, encoded[0].dtype

    def forward(self, *args: object, **kwargs: object) -> tuple[torch.Tensor, ...]:
        return self._encoded


class StockFlow:
    """Renders a clip as the documentation of diffusers does.

    pipeline: LTX2Pipeline. upsampler: its latent upsampler, unless the clip has one stage. prompt: its arguments for
    the prompt.
    """

    def __init__(self, pipeline: Any, upsampler: Any, spec: GenerationSpec, prompt: dict[str, Any]) -> None:
        from diffusers.pipelines.ltx2.pipeline_ltx2_image2video import LTX2ImageToVideoPipeline
        from diffusers.pipelines.ltx2.pipeline_ltx2_latent_upsample import LTX2LatentUpsamplePipeline

        self._spec, self._prompt = spec, prompt
        self._pipeline = LTX2ImageToVideoPipeline(**pipeline.components) if spec.keyframes else pipeline
        self._pipeline.set_progress_bar_config(disable=True)
        self._upsample = None if spec.stages == 1 else LTX2LatentUpsamplePipeline(pipeline.vae, upsampler)

    def denoise(self) -> StockLatents:
        spec = self._spec
        generator = torch.Generator(self._pipeline.device).manual_seed(spec.seed)
        if self._upsample is None:
            return self._stage(STAGE_1_SIGMAS, 1, generator=generator, **self._image())
        first = self._stage(STAGE_1_SIGMAS, 2, generator=generator, **self._image())
        upsampled = self._upsample(latents=first.video, output_type="latent", return_dict=False)[0]
        return self._stage(
            STAGE_2_SIGMAS,
            1,
            generator=generator,
            latents=upsampled,
            audio_latents=first.audio,
            noise_scale=STAGE_2_SIGMAS[0],
            **self._image(),
        )

    def decode(self, latents: StockLatents) -> StockClip:
        """Decode as the pipelines do without `output_type="latent"`."""
        parts = self._pipeline
        with torch.no_grad():
            video = parts.vae.decode(latents.video.to(parts.vae.dtype), None, return_dict=False)[0]
            frames = parts.video_processor.postprocess_video(video, output_type="np")[0]
            if not self._spec.generate_audio:
                return StockClip(frames, None)
            mel = parts.audio_vae.decode(latents.audio.to(parts.audio_vae.dtype), return_dict=False)[0]
            return StockClip(frames, parts.vocoder(mel.to(parts.vocoder.dtype))[0].float().cpu())

    def write(self, clip: StockClip, path: Path) -> None:
        from diffusers.utils import encode_video

        rate = self._pipeline.vocoder.config.output_sampling_rate
        with redirect_stderr(io.StringIO()):  # its progress bar
            encode_video(clip.frames, round(self._spec.frame_rate), str(path), clip.waveform, rate)

    def _stage(self, sigmas: tuple[float, ...], downscale: int, **arguments: Any) -> StockLatents:
        spec = self._spec
        video, audio = self._pipeline(
            **self._prompt,
            **NO_GUIDANCE,
            **arguments,
            width=spec.width // downscale,
            height=spec.height // downscale,
            num_frames=spec.num_frames,
            frame_rate=float(spec.frame_rate),
            num_inference_steps=len(sigmas) - 1,
            sigmas=list(sigmas[:-1]),
            output_type="latent",
            return_dict=False,
        )
        return StockLatents(video, audio)

    def _image(self) -> dict[str, Any]:
        if not self._spec.keyframes:
            return {}
        from PIL import Image

        keyframe = self._spec.keyframes[0]
        return {"image": Image.open(keyframe.path), "image_crf": keyframe.crf}


def stock_pipeline(components: Components, **replaced: Any) -> Any:
    """Build LTX2Pipeline with the weights of ours, without text encoder and tokenizer unless they are given."""
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.ltx2.pipeline_ltx2 import LTX2Pipeline

    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        "vae": components.video_vae,
        "audio_vae": components.audio_vae,
        "text_encoder": None,
        "tokenizer": None,
        "connectors": components.encode_prompt.modules[1],
        "transformer": diffusers_transformer(components.transformer),
        "vocoder": components.vocoder,
    }
    return LTX2Pipeline(**(parts | replaced))


@torch.inference_mode()
def stock_flow(components: Components, spec: GenerationSpec) -> StockFlow:
    """Return diffusers' flow with the weights of ours, and with the same encoded prompt, which is computed here."""
    context = components.encode_prompt(spec.prompt)
    rows = context.video.shape[1]
    mask = torch.ones(1, rows, device=components.device, dtype=torch.long)
    known = KnownContext(context.video, context.audio, mask)
    # Stands for the hidden states of the text encoder; the pipeline reads its batch size and dtype.
    hidden = torch.zeros(1, 1, 1, device=components.device, dtype=components.dtype)
    prompt = {"prompt_embeds": hidden, "prompt_attention_mask": mask}
    return StockFlow(stock_pipeline(components, connectors=known), components.upsampler, spec, prompt)


def write_stock_folder(components: Components, text_encoder: Path, folder: Path) -> None:
    """Write the models as a folder from which diffusers loads them. text_encoder: the folder of a whole Gemma 3."""
    from transformers import AutoTokenizer, Gemma3ForConditionalGeneration

    encoder = Gemma3ForConditionalGeneration.from_pretrained(text_encoder, dtype=components.dtype)
    tokenizer = AutoTokenizer.from_pretrained(text_encoder)
    stock_pipeline(components, text_encoder=encoder, tokenizer=tokenizer).save_pretrained(folder)
    if components.upsampler is not None:
        components.upsampler.save_pretrained(folder / "latent_upsampler")


def load_stock_flow(folder: Path, spec: GenerationSpec, device: torch.device, dtype: torch.dtype) -> StockFlow:
    """Load the flow from a diffusers folder, with nothing of ours."""
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
    from diffusers.pipelines.ltx2.pipeline_ltx2 import LTX2Pipeline

    pipeline = LTX2Pipeline.from_pretrained(folder, dtype=dtype).to(device)
    upsampler = None
    if spec.stages == 2:
        upsampler = LTX2LatentUpsamplerModel.from_pretrained(folder / "latent_upsampler", dtype=dtype).to(device)
    return StockFlow(pipeline, upsampler, spec, {"prompt": spec.prompt})
