"""Write what `training.vae` trained into the package: `python -m training.export --folder FOLDER`.

It adds what is measured on the trained latent: its statistics, the latents of flat colours, and an upsampler.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from training.picture_vae import PictureVAE
from training.pictures import cached_pictures
from training.vae import CHECKPOINT, PICTURE_SIDE, random_crops
from training.vae_start import fit_linear
from weights.tiny_config import CHECKPOINT_CONFIG, TRAINED
from weights.tiny_model.upsampler import SIGNALS
from weights.tiny_model.video_vae import STATISTICS

FLAT_SIDE, MARGIN = 160, 2  # latents near the border see what lies beyond it


@torch.no_grad()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="what was given to training.vae")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crops", type=int, default=768, help="pieces of pictures to measure on")
    parser.add_argument("--output", type=Path, default=TRAINED)
    args = parser.parse_args(arguments)
    drawn = torch.from_numpy(np.array(cached_pictures(args.folder, args.pictures, PICTURE_SIDE, args.seed)))
    model = PictureVAE(CHECKPOINT_CONFIG["vae"])
    model.load_state_dict(torch.load(args.folder / CHECKPOINT, weights_only=True)["model"])
    tensors = {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}
    tensors |= {name: tensor.bfloat16().contiguous() for name, tensor in measured(model, drawn, args.crops).items()}
    save_file(tensors, args.output)
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")


def measured(model: PictureVAE, drawn: torch.Tensor, crops: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pictures = random_crops(drawn, crops, 256, generator)
    large = torch.cat([model.encode(part) for part in torch.split(pictures, 16)])
    small = torch.cat([model.encode(F.avg_pool2d(part, 2)) for part in torch.split(pictures, 16)])
    mean, deviation = large.mean(dim=(0, 2, 3)), large.std(dim=(0, 2, 3))
    shape = (1, -1, 1, 1)
    large, small = ((latent - mean.view(shape)) / deviation.view(shape) for latent in (large, small))
    flat_weight, flat_bias = flat_colours(model, mean, deviation)
    signals, kernel = upsampler(small, large)
    return {
        f"{STATISTICS}mean-of-means": mean,
        f"{STATISTICS}std-of-means": deviation,
        "flat.weight": flat_weight,
        "flat.bias": flat_bias,
        "upsampler.signals": signals,
        "upsampler.kernel": kernel,
    }


def flat_colours(model: PictureVAE, mean: torch.Tensor, deviation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit the normalised latent of a picture of one colour to its RGB."""
    colours = torch.cartesian_prod(*[torch.linspace(-0.95, 0.95, 6)] * 3)
    latents = []
    for part in torch.split(colours, 36):
        pictures = part[:, :, None, None].expand(-1, -1, FLAT_SIDE, FLAT_SIDE)
        latents.append(model.encode(pictures)[:, :, MARGIN, MARGIN])
    weight, bias = fit_linear(colours, (torch.cat(latents) - mean) / deviation)
    decoded = model.decode(((colours @ weight.T + bias) * deviation + mean)[:, :, None, None].expand(-1, -1, 5, 5))
    error = (decoded[:, :, 80, 80] - colours).square().mean().sqrt()
    print(f"flat colours: error {error / 2 * 255:.1f} of 255")
    return weight, bias


def upsampler(small: torch.Tensor, large: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit the latent of a picture to that of its half: (signals, 128) and (128 * 4, signals * 9)."""
    rows = small.movedim(1, -1).flatten(0, -2)
    _, vectors = torch.linalg.eigh(rows.T @ rows)
    signals = vectors.flip(1)[:, :SIGNALS].T
    windows = F.unfold(torch.einsum("sc,bchw->bshw", signals, small), 3, padding=1)
    inputs = windows.transpose(1, 2).flatten(0, 1)
    outputs = F.pixel_unshuffle(large, 2).flatten(2).transpose(1, 2).flatten(0, 1)
    weight, bias = fit_linear(inputs, outputs)
    error = (inputs @ weight.T + bias - outputs).square().mean() / outputs.square().mean()
    print(f"upsampler: relative error {error:.2f}")
    return signals, weight


if __name__ == "__main__":
    main()
