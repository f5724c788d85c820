"""Run the distilled flow of LTX-2.3, from a specification to frames and sound.

Reference: Lightricks/LTX-2, ltx_pipelines/distilled.py (ltx_core and ltx_pipelines 1.2.0).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from pipelines.errors import OutputError, SpecError
from pipelines.geometry import LatentGrid, audio_latent_length, latent_grid, position_fps
from pipelines.ltx.audio_encode import encode_sound
from pipelines.ltx.components import Components
from pipelines.ltx.conditioning import Conditioning, Picture, prepare_picture
from pipelines.ltx.decode import decode_audio, decode_video
from pipelines.ltx.frames import convert_for, is_black
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.latents import denormalize_video, normalize_video, pack_video, unpack_audio, unpack_video
from pipelines.ltx.sampling import State, denoise, prepare_audio, prepare_video
from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS
from pipelines.ltx.source import KeptStreams, encode_source, encoded_latents
from pipelines.ltx.text import Context
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import SAMPLE_RATE
from pipelines.media.sound import Waveform
from pipelines.media.splice import splice_frames, splice_sound
from pipelines.spec import GenerationSpec

Conditionings = dict[LatentGrid, list[Conditioning]]


@dataclass(frozen=True)
class Clip:
    """frames: uint8 chunks, decoded as they are asked for. waveform: stereo; None for a clip without sound.

    A chunk is (n, H, W, 3) RGB, or from a GPU (n, 3 H / 2, W): yuv420p, limited-range BT.709.
    """

    frames: Iterator[np.ndarray]
    waveform: Waveform | None


@torch.inference_mode()
def generate(
    components: Components, spec: GenerationSpec, trace: Trace, pictures: Sequence[Picture] | None = None
) -> Clip:
    """Generate one clip. Raises PipelineError, or whatever `trace` raises to stop it.

    pictures: what `prepare_pictures` returned for this spec, if it was called before.
    One generator draws all noise, video then audio in each stage, so a seed gives the reference's clip.
    """
    if spec.stages == 2 and components.upsampler is None:
        raise SpecError("stages", "2 needs the latent upsampler, which is not loaded")
    components.begin(spec)
    generator = torch.Generator(components.device).manual_seed(spec.seed)
    first_grid, grid = stage_grids(spec)

    grids, guidance = {first_grid, grid}, spec.effective_guidance
    extras = (spec.sound is not None) + (guidance is not None)
    trace.stage("encode", steps=1 + len(spec.keyframes) + extras + encoded_latents(spec, grids))
    context = components.encode_prompt(spec.prompt)
    trace.step()
    encoded_guidance = None
    if guidance is not None:
        encoded_guidance = EncodedGuidance.of(guidance, components.encode_prompt)
        trace.step()
    if pictures is None:
        pictures = prepare_pictures(spec, trace.step)
    else:
        trace.step(len(pictures))
    conditionings = encode_pictures(components, pictures, grids)
    kept = encode_source(components, spec, grids, trace.step)
    sound = None
    if spec.sound is not None:
        sound = encode_sound(spec.sound, spec, components.audio_vae, trace)
        kept = replace(kept, audio=sound.kept)
        trace.step()

    video_latent = _zeros(components, first_grid.tokens, components.transformer.config.in_channels)
    audio_latent = _zeros(components, audio_latent_length(spec), components.transformer.config.audio_in_channels)
    stage = _Stage(components, spec, conditionings, kept, context, encoded_guidance, generator, trace)
    video_latent, audio_latent = stage.run("stage_1", first_grid, STAGE_1_SIGMAS, video_latent, audio_latent)

    if spec.stages == 2:
        trace.stage("upsample", steps=1)
        video_latent = upsample(components, video_latent, first_grid)
        trace.tensors(upsampled_video=unpack_video(video_latent, grid))
        trace.step()
        video_latent, audio_latent = stage.run("stage_2", grid, STAGE_2_SIGMAS, video_latent, audio_latent)

    trace.stage("decode", steps=spec.num_frames)
    track = sound.waveform if sound is not None and spec.generate_audio else None
    if spec.renders_sound:
        track = _decode_sound(components, audio_latent)
    if track is not None:
        trace.tensors(waveform=torch.from_numpy(track.samples))
    frames = _decode_frames(components, unpack_video(video_latent, grid), trace)
    if spec.tail_guard:
        frames = first_frames(frames, spec.delivered_frames)
    return Clip(splice_frames(spec, frames), splice_sound(spec, track))


@dataclass(frozen=True)
class _Stage:
    """The state that both stages share."""

    components: Components
    spec: GenerationSpec
    conditionings: Conditionings
    kept: KeptStreams
    context: Context
    guidance: EncodedGuidance | None
    generator: torch.Generator
    trace: Trace

    def run(
        self,
        name: str,
        grid: LatentGrid,
        sigmas: tuple[float, ...],
        video_latent: torch.Tensor,
        audio_latent: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise the latents to the first sigma, denoise them to the last. Packed in, packed out, without keyframes."""
        self.trace.stage(name, steps=len(sigmas) - 1)

        def on_step(x0: torch.Tensor) -> None:
            latent = unpack_video(x0[:, : grid.tokens], grid)
            self.trace.estimate(latent[:, :, :-1] if self.spec.tail_guard else latent)
            self.trace.step()

        video, audio = self.prepare(grid, video_latent, audio_latent)
        video = video.noised(sigmas[0], self.generator, self.components.dtype)
        audio = audio.noised(sigmas[0], self.generator, self.components.dtype)
        video, audio = denoise(
            self.components.transformer,
            self.components.forward,
            video,
            audio,
            self.context,
            sigmas,
            on_step,
            self.components.prompt_keys,
            self.guidance,
        )
        validate_finite(f"{name}: the transformer", video.latent, audio.latent)
        video_latent = video.latent[:, : grid.tokens]
        video_result, audio_result = unpack_video(video_latent, grid), unpack_audio(audio.latent)
        self.trace.tensors(**{f"{name}_video": video_result, f"{name}_audio": audio_result})
        return video_latent, audio.latent

    def prepare(self, grid: LatentGrid, video_latent: torch.Tensor, audio_latent: torch.Tensor) -> tuple[State, State]:
        fps = position_fps(self.spec.frame_rate)
        video = prepare_video(grid, fps, self.conditionings[grid], video_latent, self.kept.video.get(grid))
        return video, prepare_audio(audio_latent, self.kept.audio)


def stage_grids(spec: GenerationSpec) -> tuple[LatentGrid, LatentGrid]:
    """Return the grids of the first and the last stage."""
    grid = latent_grid(spec)
    return (latent_grid(spec, downscale=2) if spec.stages == 2 else grid), grid


def prepare_pictures(spec: GenerationSpec, on_picture: Callable[[], None] = lambda: None) -> list[Picture]:
    """Prepare the images of a clip: what can be done without the device, in any thread, before `generate`.

    on_picture: called after each image; may raise to stop. Raises ImageError.
    """
    pictures = []
    for keyframe in spec.keyframes:
        pictures.append(prepare_picture(keyframe, set(stage_grids(spec)), spec.width / spec.height))
        on_picture()
    return pictures


def encode_pictures(
    components: Components, pictures: Sequence[Picture], grids: Collection[LatentGrid]
) -> Conditionings:
    """Encode every image at the size of every stage, in the order of the spec."""
    vae, device = components.video_vae, components.device
    return {grid: [picture.encode(vae, grid, device) for picture in pictures] for grid in grids}


def upsample(components: Components, tokens: torch.Tensor, grid: LatentGrid) -> torch.Tensor:
    """x2 in height and width, on the VAE's own scale. Packed in, packed out: (1, T, C) to (1, 4T, C)."""
    assert components.upsampler is not None
    latent = denormalize_video(unpack_video(tokens, grid), components.video_vae)
    upsampled = components.upsampler(latent.to(components.upsampler.dtype)).float()
    return pack_video(normalize_video(upsampled, components.video_vae))


def _decode_sound(components: Components, audio_latent: torch.Tensor) -> Waveform:
    limit = components.max_decoded_audio_latents
    waveform = decode_audio(audio_latent, components.audio_vae, components.vocoder, limit)
    validate_finite("decode: the vocoder", waveform)
    return Waveform(waveform.cpu().numpy(), SAMPLE_RATE)


def first_frames(chunks: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Yield the first frames. The chunks after them are read, too, because their frames count as steps."""
    for chunk in chunks:
        if count > 0:
            yield chunk[:count]
        count -= len(chunk)


def _zeros(components: Components, tokens: int, channels: int) -> torch.Tensor:
    return torch.zeros(1, tokens, channels, device=components.device)


@torch.inference_mode()
def _decode_frames(components: Components, latent: torch.Tensor, trace: Trace) -> Iterator[np.ndarray]:
    all_black = True
    graph_bytes = 0 if components.graphs is None else components.graphs.kept_bytes
    convert = convert_for(latent.device)
    for frames in decode_video(latent, components.video_vae, convert, graph_bytes=graph_bytes):
        trace.step(len(frames))
        # Reads up to the first frame that is not black.
        all_black = all_black and all(is_black(frame) for frame in frames)
        yield frames
    if all_black:
        raise OutputError("decode: every frame is black; the weights are damaged, or their arithmetic overflows")


def validate_finite(what: str, *tensors: torch.Tensor) -> None:
    """Raises OutputError: as a picture NaN is black, and as sound a crack."""
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise OutputError(f"{what} computed values that are no numbers; the weights are damaged, or their arithmetic "
                          "overflows (try --fp8 dequantize)")  # fmt: skip
