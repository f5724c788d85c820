"""Compare clips with directions to plain ones: `python -m benchmarks.directing --dir DIR`, tiny model, this CPU.

Renders both by turns in one process, each pair with a prompt of its own, and prints the CPU seconds from the prompt to
the file, as medians, and the median of the ratios. Set OMP_WAIT_POLICY=PASSIVE, as workers do.
"""

import argparse
import statistics
import wave
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from pipelines.bench.timing import busy_seconds
from pipelines.direction import Continuation, Guidance, LoraStrength, Retake, Sound
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.trace import Trace
from pipelines.media.source_video import read_source_sound
from pipelines.render import render
from pipelines.spec import TAIL_GUARD_FRAMES, GenerationSpec
from weights.lora import CONNECTORS_PREFIX
from weights.tiny import tiny_files

CPU = torch.device("cpu")


LORA_RANKS = (32, 128)
# Small, so that the clip stays what it is.
LORA_VALUE = 1e-3


def directed(
    plain: GenerationSpec, loras: Mapping[int, LoraStrength], sound: Path, clip: Path
) -> dict[str, GenerationSpec]:
    """Return a clip of each kind. clip: as long as the plain one, with the sound."""
    middle_s = (float(plain.duration_s) / 3, 2 * float(plain.duration_s) / 3)
    of_rank = {f"LoRA of rank {rank}": replace(plain, loras=(lora,)) for rank, lora in loras.items()}
    return of_rank | {
        "given sound": replace(plain, sound=Sound(sound)),
        "retake": replace(plain, source=Retake(clip, plain.num_frames, *middle_s)),
        "continuation": replace(plain, source=Continuation(clip, plain.num_frames)),
        "negative prompt": replace(plain, guidance=Guidance("red")),
        "negative prompt, sound too": replace(plain, guidance=Guidance("red", audio=True)),
        "tail guard": replace(plain, num_frames=plain.num_frames + TAIL_GUARD_FRAMES, tail_guard=True),
    }


def write_lora(components: Components, rank: int, path: Path) -> LoraStrength:
    """Write a LoRA that changes every layer of the transformer."""
    layers = {n: shape for n, shape in components.loras.linears.items() if not n.startswith(CONNECTORS_PREFIX)}
    tensors = {}
    for name, (outputs, inputs) in layers.items():
        tensors[f"diffusion_model.{name}.lora_A.weight"] = torch.full((rank, inputs), LORA_VALUE)
        tensors[f"diffusion_model.{name}.lora_B.weight"] = torch.full((outputs, rank), LORA_VALUE)
    save_file(tensors, path)
    return LoraStrength(path.stem, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True, help="where the tiny model is, and the clips are written")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="clips of each (default: 5)")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--num-frames", type=int, default=121)
    options = parser.parse_args()
    size = (options.width, options.height, options.num_frames)
    plain = GenerationSpec("a red and a blue field", 1, *size, Fraction(24))
    tiny = tiny_files(options.dir)
    components = load_components(WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler), CPU, torch.float32)
    path = options.dir / "clip.mp4"
    print(
        f"{options.width}x{options.height}, {options.num_frames} frames, sound; median of {options.pairs}", flush=True
    )
    loras = {rank: write_lora(components, rank, options.dir / f"rank-{rank}.safetensors") for rank in LORA_RANKS}
    clip, sound = options.dir / "source.mp4", options.dir / "sound.wav"
    render(components, plain, clip, Trace())
    write_sound(clip, sound)
    for name, other in directed(plain, loras, sound, clip).items():
        pairs = [pair(components, plain, other, number, path) for number in range(options.pairs + 1)][1:]
        plain_s, directed_s = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
        ratio = statistics.median(directed_s / plain_s for plain_s, directed_s in pairs)
        print(f"{name}: {directed_s:.2f}, plain {plain_s:.2f} CPU seconds, ratio {ratio:.3f}", flush=True)


def write_sound(clip: Path, path: Path) -> None:
    """Write the sound of a clip as a WAV file of 16 bits."""
    track = read_source_sound(clip)
    assert track is not None
    samples = np.rint(np.clip(track.samples.T, -1, 1) * 32767).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.itemsize)
        file.setframerate(track.sample_rate)
        file.writeframes(samples.tobytes())


def pair(
    components: Components, plain: GenerationSpec, other: GenerationSpec, number: int, path: Path
) -> tuple[float, float]:
    """Return the seconds of a plain clip and of one with directions, each with a new prompt."""

    def seconds(spec: GenerationSpec, prompt: str) -> float:
        return busy_seconds(lambda: render(components, replace(spec, prompt=prompt), path, Trace()), CPU)

    return seconds(plain, f"{plain.prompt} {number}"), seconds(other, f"{other.prompt} {number} directed")


if __name__ == "__main__":
    main()
