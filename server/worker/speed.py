"""Choose how the transformer runs, and render a clip of each size that should be fast from the first request on."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

from pipelines.errors import PipelineError
from pipelines.ltx.components import Components
from pipelines.ltx.progress import OnProgress
from pipelines.ltx.speed import CompileError, Speed, possible_speed, require_compiler, speed_up
from pipelines.ltx.trace import Trace
from pipelines.memory import ClipSize
from pipelines.spec import GenerationSpec, Keyframe
from server.process.torch_environment import keep_compiled
from weights.errors import WeightsError

Render = Callable[[GenerationSpec, Path, Trace], object]

log = logging.getLogger("ltx23.worker")


class SpeedError(WeightsError):
    """`--speed` or `--warmup` asks for what is not possible here."""


def resolve_speed(name: str, device: torch.device, cache_dir: Path) -> Speed:
    """Return the speed if the device and this machine can have it. Raises SpeedError."""
    speed = Speed(name)
    if speed is Speed.EAGER:
        return speed
    if speed is Speed.GRAPHS and device.type != "cuda":
        raise SpeedError(
            f"LTX23_SPEED / --speed graphs needs an NVIDIA GPU, the device is {device}: use --speed compile or eager"
        )
    # Torch's compiler sets the folder itself when it is imported, unless it is set.
    _use_cache(speed, keep_compiled(cache_dir / "compiled"))
    try:
        require_compiler()
    except CompileError as exc:
        raise compile_refusal(speed, exc) from exc
    return speed


def compile_refusal(speed: Speed, exc: CompileError) -> SpeedError:
    return SpeedError(
        f"LTX23_SPEED / --speed {speed}: torch cannot compile the transformer here: {exc}; or use --speed eager"
    )


def accelerate(components: Components, speed: Speed, with_loras: bool, on_progress: OnProgress) -> Components:
    """Compile what can be, before the first clip. Raises SpeedError."""
    if possible_speed(components, speed) is not Speed.EAGER:
        on_progress("compile", 0, 0)
    try:
        return speed_up(components, speed, with_loras)
    except CompileError as exc:
        log.error("torch's compiler failed: %s", exc.__cause__)
        raise compile_refusal(speed, exc) from exc


def speed_warnings(components: Components, speed: Speed) -> tuple[str, ...]:
    if possible_speed(components, speed) is speed:
        return ()
    return (f"LTX23_SPEED / --speed {speed} needs the transformer on the device; it is streamed, and runs eagerly",)


def warm_up(render: Render, sizes: Sequence[ClipSize], stages: int, on_progress: OnProgress) -> None:
    """Render a clip of each size, with an image and sound. Raises SpeedError."""
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            on_progress(f"warm-up {size_name(size)}", 0, 0)
            image, path = Path(folder) / "image.png", Path(folder) / "clip.mp4"
            Image.new("RGB", (size.width, size.height), "gray").save(image)
            spec = GenerationSpec(
                *("warm-up", 0, size.width, size.height, size.num_frames, size.frame_rate),
                keyframes=(Keyframe(image),),
                stages=stages,
            )
            try:
                render(spec, path, Trace())
            except PipelineError as exc:
                raise SpeedError(f"LTX23_WARMUP / --warmup {size_name(size)}: {exc}") from exc


def size_name(size: ClipSize) -> str:
    return f"{size.width}x{size.height}x{size.num_frames}"


def _use_cache(speed: Speed, folder: Path) -> None:
    """Raise SpeedError if compiled code cannot be kept in this folder."""
    try:
        # It is run without a check when it is read back.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        raise SpeedError(
            f"LTX23_SPEED / --speed {speed} keeps compiled code in {folder}, which cannot be written to: "
            f"{exc.strerror}; choose another LTX23_CACHE_DIR / --cache-dir (or TORCHINDUCTOR_CACHE_DIR), or "
            "use --speed eager"
        ) from exc
