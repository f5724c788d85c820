"""Compare clips with directions to plain ones: `python -m benchmarks.directing --dir DIR`, tiny model, this CPU.

Renders both by turns in one process, each pair with a prompt of its own, and prints the CPU seconds from the prompt to
the file, as medians, and the median of the ratios. Set OMP_WAIT_POLICY=PASSIVE, as workers do.
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from safetensors.torch import save_file

from pipelines.bench.timing import busy_seconds
from pipelines.direction import Guidance, LoraStrength
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.trace import Trace
from pipelines.render import render
from pipelines.spec import TAIL_GUARD_FRAMES, GenerationSpec
from weights.lora import CONNECTORS_PREFIX
from weights.tiny import tiny_files

CPU = torch.device("cpu")


LORA_RANKS = (32, 128)
# Small, so that the clip stays what it is.
LORA_VALUE = 1e-3


def directed(plain: GenerationSpec, loras: Mapping[int, LoraStrength]) -> dict[str, GenerationSpec]:
    of_rank = {f"LoRA of rank {rank}": replace(plain, loras=(lora,)) for rank, lora in loras.items()}
    return of_rank | {
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
    for name, other in directed(plain, loras).items():
        pairs = [pair(components, plain, other, number, path) for number in range(options.pairs + 1)][1:]
        plain_s, directed_s = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
        ratio = statistics.median(directed_s / plain_s for plain_s, directed_s in pairs)
        print(f"{name}: {directed_s:.2f}, plain {plain_s:.2f} CPU seconds, ratio {ratio:.3f}", flush=True)


def pair(
    components: Components, plain: GenerationSpec, other: GenerationSpec, number: int, path: Path
) -> tuple[float, float]:
    """Return the seconds of a plain clip and of one with directions, each with a new prompt."""

    def seconds(spec: GenerationSpec, prompt: str) -> float:
        return busy_seconds(lambda: render(components, replace(spec, prompt=prompt), path, Trace()), CPU)

    return seconds(plain, f"{plain.prompt} {number}"), seconds(other, f"{other.prompt} {number} directed")


if __name__ == "__main__":
    main()
