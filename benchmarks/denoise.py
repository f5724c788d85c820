"""Measure one step of denoising with the tiny model on one CPU core: `python -m benchmarks.denoise [--pairs N]`.

Prints the CPU time of a step without images and of one with an image at the first frame, in alternating pairs, and of a
step that finds the prompt's keys and values kept.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pipelines.geometry import LatentGrid
from pipelines.ltx.components import load_components
from pipelines.ltx.conditioning import Conditioning
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.sampling import predict_velocity, prepare_audio, prepare_video
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.block import PromptKeysValues
from pipelines.ltx.transformer.model import Transformer
from weights.tiny import tiny_files

FPS, SIGMA, CHANNELS, PROMPT_ROWS = 24.0, 0.9, 128, 1024

# The grid of stage 2's video latent, and the length of the audio latent.
CLIPS = {"256x256, 9 frames": (LatentGrid(2, 8, 8), 9), "768x512, 25 frames": (LatentGrid(4, 16, 24), 26)}


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        tiny = tiny_files(Path(folder))
        files = WeightFiles(tiny.checkpoint, tiny.text_encoder)
        transformer = load_components(files, torch.device("cpu"), torch.float32).transformer
    print(f"{platform.machine()}, one core, torch {torch.__version__}, median of {pairs}")
    for name, (grid, audio_length) in CLIPS.items():
        compare(name, transformer, grid, audio_length, pairs)


def compare(name: str, transformer: Transformer, grid: LatentGrid, audio_length: int, pairs: int) -> None:
    image = Conditioning(0, 1.0, torch.randn(1, grid.tokens_per_frame, CHANNELS))
    text_step = step(transformer, grid, audio_length, ())
    image_step = step(transformer, grid, audio_length, (image,))
    kept: list[PromptKeysValues] = []
    text_step(kept)
    timed = [[cpu_s(lambda: text_step(None)), cpu_s(lambda: image_step(None)), cpu_s(lambda: text_step(kept))]
             for _ in range(pairs + 2)][2:]  # fmt: skip
    text_s, image_s, kept_s = (statistics.median(column) for column in zip(*timed, strict=True))
    ratio = statistics.median(image / text for text, image, _ in timed)
    print(f"{name}: text {1e3 * text_s:.2f} ms, image {1e3 * image_s:.2f} ms (ratio {ratio:.3f}, aim 1.05), "
          f"prompt kept {1e3 * kept_s:.2f} ms")  # fmt: skip


def step(
    transformer: Transformer, grid: LatentGrid, audio_length: int, images: tuple[Conditioning, ...]
) -> Callable[[list[PromptKeysValues] | None], object]:
    config = transformer.config
    video = prepare_video(grid, FPS, images, torch.randn(1, grid.tokens, CHANNELS))
    audio = prepare_audio(torch.randn(1, audio_length, CHANNELS))
    widths = (config.cross_attention_dim, config.audio_cross_attention_dim)
    context = Context(*(torch.randn(1, PROMPT_ROWS, width) for width in widths))
    rotary = transformer.rotary_tables(video.coords, audio.coords)
    return lambda prompt: predict_velocity(transformer, video, audio, rotary, context, SIGMA, prompt)


def cpu_s(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main()
