"""`ltx23 generate`: render one clip to a file, in this process."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pipelines.errors import ImageError, PipelineError, SpecError
from pipelines.ltx.trace import Trace
from pipelines.media.image import check_image
from pipelines.media.image_crop import Crop, Size
from pipelines.spec import DEFAULT_CRF, TAIL_GUARD_FRAMES, Container, GenerationSpec, Keyframe
from server.commands.clip_size import ClipSizeOptions, read_clip_shape
from server.commands.guidance_options import take_guidance
from server.commands.lora_options import read_loras
from server.commands.preview_file import PreviewFile, open_viewer, validate_preview_path
from server.commands.sound_options import take_sound
from server.commands.streams import decode_prompt
from server.commands.tail_guard_options import is_guarded
from server.commands.weight_names import resolve_weights
from server.configure import worker_config
from server.process.torch_environment import configure_allocator, wait_passively
from server.settings import SettingsError, WeightSettings, load_settings
from server.worker.garbage import postponed_gc
from server.worker.messages import WorkerConfig
from weights.disk import replacing
from weights.errors import WeightsError

if TYPE_CHECKING:
    import torch

    from server.worker.model import Model

# PATH:FRAME_IDX:STRENGTH:CRF, parsed from the right because a path may contain colons.
KEYFRAME = re.compile(r"(?P<path>.+?):(?P<frame_idx>-?\d+)(:(?P<strength>\d*\.?\d+))?(:(?P<crf>\d+))?")


def generate(*, output: str, save_latents: str | None, preview: str | None = None, **options: Any) -> int:
    wait_passively()
    configure_allocator()
    path, trace = Path(output), ConsoleTrace(keep_tensors=save_latents is not None)
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
    except (PipelineError, WeightsError, SettingsError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    finally:
        trace.close()
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in timings_s.items())
    print(f"{path}: {spec.width}x{spec.height}, {spec.delivered_frames} frames, seed {spec.seed} (seconds: {seconds})")
    return 0


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
    for name, prompt in spec.prompts.items():
        if (cut := model.components.encode_prompt.find_cut(prompt)) is not None:
            print(f"ltx23: note: {name} has {cut}", file=sys.stderr)
    return model


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
    try:
        container = Container(path.suffix.lower().removeprefix("."))
    except ValueError as exc:
        raise SpecError(
            "output", f"should end in {' or '.join('.' + c for c in Container)}, got {path.name!r}"
        ) from exc
    if not path.parent.is_dir():
        raise SpecError("output", f"there is no folder {path.parent}")
    guidance = take_guidance(options)
    sound, sound_s = take_sound(options)
    guard_mode = options.pop("tail_guard", "off")
    clip = read_clip_shape(ClipSizeOptions(**options, sound_s=sound_s))
    parsed = [parse_keyframe(text, clip.file_frames) for text in keyframes]
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


def parse_keyframe(text: str, num_frames: int) -> Keyframe:
    match = KEYFRAME.fullmatch(text)
    if match is None:
        raise SpecError("keyframe", f"should be PATH:FRAME_IDX[:STRENGTH[:CRF]], got {text!r}")
    frame_idx = int(match["frame_idx"])
    return Keyframe(
        path=Path(match["path"]),
        frame_idx=num_frames - 1 if frame_idx == -1 else frame_idx,
        strength=float(match["strength"] or 1.0),
        crf=int(match["crf"] or DEFAULT_CRF),
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
    """A progress bar per stage on a terminal. Keeps the tensors if `keep_tensors` is set."""

    def __init__(self, keep_tensors: bool) -> None:
        self.kept: dict[str, torch.Tensor] = {}
        self.preview: PreviewFile | None = None
        self._keep_tensors = keep_tensors
        self._name = ""
        self._bar: Any = None

    def loading(self, component: str, done_bytes: int, total_bytes: int) -> None:
        if self._name != component:
            self._open(component, total_bytes, unit="B", unit_scale=True)
        self._bar.update(done_bytes - self._bar.n)

    def stage(self, name: str, steps: int) -> None:
        self._open(name, steps, unit="step")

    def step(self, count: int = 1) -> None:
        self._bar.update(count)

    def estimate(self, latent: "torch.Tensor") -> None:
        if self.preview is not None:
            self.preview.show(latent)

    def tensors(self, **tensors: "torch.Tensor") -> None:
        if self._keep_tensors:
            self.kept.update(tensors)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _open(self, name: str, total: int, **style: Any) -> None:
        self.close()
        self._name = name
        self._bar = tqdm(desc=name, total=total, disable=None, file=sys.stderr, **style)
