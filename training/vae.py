"""Train the video VAE on drawn pictures: `python -m training.vae --folder FOLDER`.

Resumable: a run that was stopped goes on from its last checkpoint. Prints the loss, and with --photographs the quality
on photographs that it never saw.
`training.export` writes the result into the package.
"""

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.photographs import cropped, load_photographs
from training.picture_vae import PictureVAE
from training.pictures import cached_pictures
from training.vae_start import start_from_components
from weights.tiny_config import CHECKPOINT_CONFIG

CHECKPOINT, PICTURE_SIDE = "vae.pt", 256
FLAT_SHARE = 0.08
# Of a latent channel's own deviation: what the transformer's arithmetic may get wrong.
LATENT_NOISE = 0.02
WARMUP_STEPS = 200
LOG_STEPS, CHECKPOINT_STEPS = 100, 1000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where pictures and checkpoints are kept")
    parser.add_argument("--photographs", type=Path, help="judge on the photographs in this folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)

    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    drawn = torch.from_numpy(np.array(cached_pictures(args.folder, args.pictures, PICTURE_SIDE, args.seed))).to(device)
    model = PictureVAE(CHECKPOINT_CONFIG["vae"]).to(device)
    if not (args.folder / CHECKPOINT).is_file():
        start_from_components(model, random_crops(drawn, 400, 64, torch.Generator(device).manual_seed(args.seed)))
    run = Run(model, args.folder / CHECKPOINT, args.steps, args.rate)
    held_out = None if args.photographs is None else photographs(args.photographs, device)
    started = time.monotonic()
    losses: list[float] = []
    while run.step < args.steps:
        crops = random_crops(drawn, args.batch, args.crop, run.generator(args.seed, device))
        losses.append(run.take_step(crops))
        if run.step % LOG_STEPS == 0:
            print(f"step {run.step}: loss {np.mean(losses[-LOG_STEPS:]):.5f}, {time.monotonic() - started:.0f} s",
                  flush=True)  # fmt: skip
        if run.step % CHECKPOINT_STEPS == 0 or run.step == args.steps:
            run.save()
            if held_out is not None:
                quality = {name: psnr(model, picture) for name, picture in held_out.items()}
                parts = ", ".join(f"{name} {value:.1f}" for name, value in quality.items())
                print(f"step {run.step}: {np.mean(list(quality.values())):.2f} dB ({parts})", flush=True)


class Run:
    """A training run: the model, its optimiser and how far it has come."""

    def __init__(self, model: PictureVAE, path: Path, steps: int, rate: float) -> None:
        self.step, self._steps, self._path, self._rate, self._model = 0, steps, path, rate, model
        self._optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.99))
        if path.is_file():
            saved = torch.load(path, weights_only=True)
            self.step = saved["step"]
            model.load_state_dict(saved["model"])
            self._optimizer.load_state_dict(saved["optimizer"])

    def generator(self, seed: int, device: torch.device) -> torch.Generator:
        """Return the source of this step's crops, the same whether or not the run was stopped before."""
        return torch.Generator(device).manual_seed(seed * 1_000_000 + self.step)

    def take_step(self, pictures: torch.Tensor) -> float:
        progress = self.step / self._steps
        rate = self._rate * min(1, (self.step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss = reconstruction_loss(self._model, pictures)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        return loss.item()

    def save(self) -> None:
        part = self._path.with_suffix(".part")
        torch.save(
            {"step": self.step, "model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}, part
        )
        part.replace(self._path)


def reconstruction_loss(model: PictureVAE, pictures: torch.Tensor) -> torch.Tensor:
    """Return the mean root error of the pictures: a hard picture counts little more than an easy one."""
    latent = model.encode(pictures)
    deviation = latent.detach().std(dim=(0, 2, 3), keepdim=True)
    decoded = model.decode(latent + LATENT_NOISE * deviation * torch.randn_like(latent))
    error = (decoded - pictures).square()
    return (error.mean(dim=(1, 2, 3)) + 1e-4).sqrt().mean()


def random_crops(drawn: torch.Tensor, count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """Return (count, 3, side, side) in -1 .. 1: pieces of pictures, mirrored, with other colours, a few of them flat.

    drawn: (N, H, W, 3) uint8.
    """
    device = drawn.device

    def draw(high: int) -> torch.Tensor:
        return torch.randint(high, (count,), generator=generator, device=device)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, device=device)

    span = torch.arange(side, device=device)
    rows = draw(drawn.shape[1] - side + 1)[:, None] + span
    columns = draw(drawn.shape[2] - side + 1)[:, None] + span
    columns = torch.where(draw(2)[:, None] == 1, columns, columns.flip(1))
    rows = torch.where(draw(2)[:, None] == 1, rows, rows.flip(1))
    crops = drawn[draw(len(drawn))[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    crops = crops.float() / 127.5 - 1
    turned = torch.where((draw(2) == 1)[:, None, None, None], crops, crops.transpose(2, 3))
    contrast, brightness = 0.7 + 0.5 * uniform(count, 1, 1, 1), 0.4 * uniform(count, 3, 1, 1) - 0.2
    turned = turned * contrast + brightness
    flat = (uniform(count, 1, 1, 1) < FLAT_SHARE).float()
    # A flat one keeps a trace of its picture.
    turned = turned * (1 - 0.97 * flat) + flat * (2 * uniform(count, 3, 1, 1) - 1)
    return turned.clamp(-1, 1)


def photographs(folder: Path, device: torch.device) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(np.array(cropped(picture, 768, 512))).to(device).permute(2, 0, 1)[None] / 127.5 - 1
        for name, picture in load_photographs(folder).items()
    }


@torch.no_grad()
def psnr(model: PictureVAE, picture: torch.Tensor) -> float:
    decoded = model.decode(model.encode(picture)).clamp(-1, 1)
    return -10 * math.log10((decoded - picture).square().mean().item() / 4)


if __name__ == "__main__":
    main()
