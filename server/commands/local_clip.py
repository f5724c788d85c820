"""Render a clip to a file in this process, from a command's options."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pipelines.errors import ImageError, SpecError
from pipelines.ltx.trace import Trace
from pipelines.media.image import check_image
from pipelines.media.image_crop import Crop, Size
from pipelines.spec import DEFAULT_CRF, TAIL_GUARD_FRAMES, GenerationSpec, Keyframe
from server.commands.clip_bar import ClipBar, describe_step
from server.commands.clip_report import ClipReport
from server.commands.clip_size import ClipSizeOptions, read_clip_shape
from server.commands.guidance_options import take_guidance
from server.commands.keyframe_option import parse_keyframe
from server.commands.lora_options import read_loras
from server.commands.output_file import read_container
from server.commands.preview_file import PreviewFile, open_viewer, validate_preview_path
from server.commands.sound_options import take_sound
from server.commands.streams import decode_prompt
from server.commands.tail_guard_options import is_guarded
from server.commands.weight_names import resolve_weights
from server.configure import worker_config
from server.jobs.stage_percents import StageShares
from server.settings import WeightSettings, load_settings
from server.worker.garbage import postponed_gc
from server.worker.messages import WorkerConfig
from weights.disk import replacing

if TYPE_CHECKING:
    import torch

    from server.worker.model import Model


def render_locally(
    path: Path, *, save_latents: str | None = None, preview: str | None = None, **options: Any
) -> ClipReport:
    """Raises PipelineError, WeightsError, SettingsError, OSError."""
    trace = ConsoleTrace(keep_tensors=save_latents is not None)
    try:
        config, spec = read_clip_options(path, **options)
        if preview is not None:
            validate_preview_path(Path(preview))
        model = load_for_clip(config, spec, trace)
        if preview is not None:
            trace.preview = PreviewFile(Path(preview), open_viewer(model, config), float(spec.duration_s))
        timings_s = model.render(spec, path, trace)
        if save_latents is not None:
            write_tensors(Path(save_latents), trace.kept)
    finally:
        trace.close()
    return report_clip(path, spec, timings_s)


def report_clip(path: Path, spec: GenerationSpec, timings_s: dict[str, float]) -> ClipReport:
    return ClipReport(
        file=path,
        seed=spec.seed,
        width=spec.width,
        height=spec.height,
        frames=spec.delivered_frames,
        fps=float(spec.frame_rate),
        timings_s=timings_s,
    )


def read_clip_options(path: Path, **options: Any) -> tuple[WorkerConfig, GenerationSpec]:
    """Return the model and the clip that the options of a command describe, and print notes about the pictures.

    Raises SettingsError, SpecError, WeightsError.
    """
    names = (*WeightSettings.model_fields, "lora_dir")
    weight_options = {name: options.pop(name, None) for name in names}
    settings = resolve_weights(load_settings(**weight_options))
    loras = read_loras(options.pop("loras", ()), settings)
    spec = replace(build_spec(path, settings.stages, **options), loras=loras)
    for keyframe in spec.keyframes:
        check_keyframe(keyframe, Size(spec.width, spec.height))
    # This one clip is the first of its size in any case, and the fast mode is the server's.
    config = replace(worker_config(settings), warmup=(), fast=False, with_loras=bool(loras), lora_paths=())
    return config, spec


def load_for_clip(config: WorkerConfig, spec: GenerationSpec, trace: "ConsoleTrace") -> "Model":
    """Load the model for a clip, and print notes about both. Raises WeightsError."""
    with postponed_gc():
        from server.worker.model import load_model

        model = load_model(config, trace.loading)
    trace.close()
    for warning in model.info.warnings:
        print(f"ltx23: note: {warning}", file=sys.stderr)
    note_cuts(model, spec)
    return model


def note_cuts(model: "Model", spec: GenerationSpec) -> None:
    """Print which part of the prompts the text encoder does not read."""
    for name, prompt in spec.prompts.items():
        if (cut := model.components.encode_prompt.find_cut(prompt)) is not None:
            print(f"ltx23: note: {name} has {cut}", file=sys.stderr)


def build_spec(
    path: Path,
    stages: int,
    *,
    prompt: str,
    seed: int,
    keyframes: list[str],
    generate_audio: bool = True,
    image: str | None = None,
    embed_metadata: bool = False,
    **options: Any,
) -> GenerationSpec:
    """Build the spec without rounding: an impossible size or frame count is an error. Raises SpecError.

    options: as in ClipSizeOptions, and those for a sound and for guidance. The pictures are not read.
    """
    container = read_container(path)
    guidance = take_guidance(options)
    sound, sound_s = take_sound(options)
    guard_mode = options.pop("tail_guard", "off")
    clip = read_clip_shape(ClipSizeOptions(**options, sound_s=sound_s))
    parsed = [place_keyframe(text, clip.file_frames) for text in keyframes]
    if image is not None:
        parsed.append(Keyframe(Path(image)))
    if clip.source is not None and guard_mode == "auto":
        guard_mode = "off"
    tail_guard = is_guarded(guard_mode, clip.num_frames, parsed)
    parsed = [replace(keyframe, frame_idx=keyframe.frame_idx - clip.first_frame) for keyframe in parsed]
    return GenerationSpec(
        prompt=decode_prompt(prompt),
        seed=seed,
        width=clip.width,
        height=clip.height,
        num_frames=clip.num_frames + TAIL_GUARD_FRAMES * tail_guard,
        frame_rate=clip.frame_rate,
        keyframes=tuple(sorted(parsed, key=lambda keyframe: keyframe.frame_idx)),
        generate_audio=generate_audio,
        container=container,
        stages=stages,
        guidance=guidance,
        tail_guard=tail_guard,
        embed_metadata=embed_metadata,
        sound=sound,
        source=clip.source,
    )


def place_keyframe(text: str, num_frames: int) -> Keyframe:
    option = parse_keyframe(text)
    return Keyframe(
        path=option.path,
        frame_idx=num_frames - 1 if option.frame_idx == -1 else option.frame_idx,
        strength=1.0 if option.strength is None else option.strength,
        crf=DEFAULT_CRF if option.crf is None else option.crf,
    )


def check_keyframe(keyframe: Keyframe, clip: Size) -> None:
    """Decode the picture before anything is loaded, and print which part of it the clip crops. Raises SpecError."""
    try:
        info = check_image(keyframe.path.read_bytes())
    except (OSError, ImageError) as exc:
        raise SpecError("keyframe", f"{keyframe.path}: {getattr(exc, 'strerror', None) or exc}") from exc
    crop = Crop(Size(info.width, info.height), clip)
    if crop.is_reported:
        print(f"ltx23: note: {keyframe.path}: {crop}", file=sys.stderr)


def write_tensors(path: Path, tensors: dict[str, "torch.Tensor"]) -> None:
    from safetensors.torch import save_file

    with replacing(path) as part:
        save_file({name: tensor.float().cpu().contiguous() for name, tensor in tensors.items()}, part)


class ConsoleTrace(Trace):
    """A bar for the weights while they load, then one for the clip. Keeps the tensors if `keep_tensors` is set."""

    def __init__(self, keep_tensors: bool, bar: ClipBar | None = None) -> None:
        self.kept: dict[str, torch.Tensor] = {}
        self.preview: PreviewFile | None = None
        self.bar = bar or ClipBar()
        self._keep_tensors = keep_tensors
        self._loading: Any = None
        self._component = ""
        self._shares = StageShares()
        self._spent_s: dict[str, float] = {}
        self._stage, self._steps, self._step = "", 0, 0
        self._began = 0.0

    def loading(self, component: str, done_bytes: int, total_bytes: int) -> None:
        if self._component != component:
            self._close_loading()
            self._component = component
            self._loading = tqdm(
                desc=component, total=total_bytes, unit="B", unit_scale=True, disable=None, file=sys.stderr
            )
        self._loading.update(done_bytes - self._loading.n)

    def stage(self, name: str, steps: int) -> None:
        self._close_loading()
        self._spend()
        self._stage, self._steps, self._step = name, steps, 0
        self._show()

    def step(self, count: int = 1) -> None:
        self._step += count
        self._show()

    def clip_done(self) -> None:
        """Learn each stage's share of the time from the clip that is done."""
        self._spend()
        self._shares.add(self._spent_s)
        self.clip_failed()

    def clip_failed(self) -> None:
        self._stage, self._spent_s = "", {}

    def estimate(self, latent: "torch.Tensor") -> None:
        if self.preview is not None:
            self.preview.show(latent)

    def tensors(self, **tensors: "torch.Tensor") -> None:
        if self._keep_tensors:
            self.kept.update(tensors)

    def close(self) -> None:
        self._close_loading()
        self.bar.close()

    def _show(self) -> None:
        begin, end = self._shares.percents.get(self._stage, (0, 0))
        percent = begin + (end - begin) * self._step / self._steps if self._steps else begin
        self.bar.show(percent, describe_step(self._stage, self._step, self._steps))

    def _spend(self) -> None:
        now = time.monotonic()
        if self._stage:
            self._spent_s[self._stage] = self._spent_s.get(self._stage, 0.0) + now - self._began
        self._began = now

    def _close_loading(self) -> None:
        if self._loading is not None:
            self._loading.close()
        self._loading, self._component = None, ""
