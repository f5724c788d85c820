"""Measure what FP8 layers change in the output of a transformer of 48 blocks: `python -m benchmarks.fp8_error`.

Its weights are random, with which every layer keeps the size of its input, and 256 wide instead of 4096. Prints the
error of the velocity relative to the same model in float32, over the first and the last
sigma. Takes minutes.
"""

import copy

import torch
from torch import nn

from pipelines.geometry import LatentGrid
from pipelines.ltx.build import block_linears, build_module, officially_fp8
from pipelines.ltx.fp8 import Fp8Linear, use_fp8_linears
from pipelines.ltx.sampling import predict_velocity, prepare_audio, prepare_video
from pipelines.ltx.schedule import STAGE_1_SIGMAS
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.model import Transformer
from weights.architecture import transformer_kwargs
from weights.full_config import full_config
from weights.load import quantize

WIDTHS = {
    "num_attention_heads": 16,
    "attention_head_dim": 16,
    "cross_attention_dim": 256,
    "audio_num_attention_heads": 16,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 128,
}
# The first step and the last.
SIGMAS = STAGE_1_SIGMAS[0], STAGE_1_SIGMAS[-2]
GRID, AUDIO_TOKENS, TEXT_TOKENS = LatentGrid(4, 6, 8), 32, 64


@torch.inference_mode()
def main() -> None:
    exact = random_transformer()
    official, every = officially_fp8(exact), list(block_linears(exact))
    models = {
        "all blocks in BF16": copy.deepcopy(exact).to(torch.bfloat16),
        "FP8 as published (43 blocks)": with_fp8(exact, official),
        "FP8 in all 48 blocks": with_fp8(exact, every),
    }
    print("| | video | sound |")
    print("|---|---|---|")
    for name, model in models.items():
        errors = torch.tensor([relative_errors(model, exact, sigma) for sigma in SIGMAS]).mean(0)
        print("|", name, *(f"| {error:.2%}" for error in errors.tolist()), "|")


def random_transformer() -> Transformer:
    config = full_config()
    transformer = build_module("transformer", transformer_kwargs(config["transformer"], config["audio_vae"]) | WIDTHS)
    assert isinstance(transformer, Transformer)
    generator = torch.Generator().manual_seed(0)
    for owner in transformer.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            values = torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5
            values = 1 + values if isinstance(owner, nn.RMSNorm) else values
            # As a file has them.
            owner._parameters[name] = nn.Parameter(values.to(torch.bfloat16).float(), requires_grad=False)
    return transformer.eval()


def with_fp8(transformer: Transformer, names: list[str]) -> Transformer:
    """Return a copy with FP8 weights, and activations quantised by their own largest values."""
    model = copy.deepcopy(transformer)
    plain = dict(model.named_modules())
    use_fp8_linears(model, names, static=())
    for name, layer in model.named_modules():
        if isinstance(layer, Fp8Linear):
            weight, layer.weight_scale = quantize(plain[name].get_parameter("weight"))
            layer.weight = nn.Parameter(weight, requires_grad=False)
            layer.bias = plain[name].get_parameter("bias")
    return model


def relative_errors(model: Transformer, exact: Transformer, sigma: float) -> tuple[float, float]:
    found, expected = velocities(model, sigma), velocities(exact, sigma)
    video, audio = (float((a - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True))
    return video, audio


def velocities(model: Transformer, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    config = model.config

    def noise(rows: int, width: int) -> torch.Tensor:
        return torch.randn(1, rows, width, generator=generator)

    video = prepare_video(GRID, 24.0, (), noise(GRID.tokens, config.in_channels))
    audio = prepare_audio(noise(AUDIO_TOKENS, config.audio_in_channels))
    context = Context(
        noise(TEXT_TOKENS, config.cross_attention_dim).to(model.dtype),
        noise(TEXT_TOKENS, config.audio_cross_attention_dim).to(model.dtype),
    )
    video, audio = (state.noised(sigma, generator, torch.float32) for state in (video, audio))
    rotary = model.rotary_tables(video.coords, audio.coords)
    video_velocity, audio_velocity = predict_velocity(model, video, audio, rotary, context, sigma)
    return video_velocity.float(), audio_velocity.float()


if __name__ == "__main__":
    main()
