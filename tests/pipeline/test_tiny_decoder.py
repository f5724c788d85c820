"""A small decoder for previews, at tiny width: the layout of the published file, what it computes, and refusals."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from pipelines.ltx.tiny_decoder import load_tiny_decoder
from weights.errors import WeightsError

CHANNELS, WIDTHS = 16, (12, 8, 4, 4)
Tensors = dict[str, torch.Tensor]
CPU = torch.device("cpu")


def published(
    channels: int = CHANNELS, widths: tuple[int, ...] = WIDTHS, outputs: int = 48, stride: int = 2
) -> Tensors:
    """Return random tensors with the names of taeltx2_3.pth, decoder and a part of the encoder."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / 3

    tensors = {"encoder.0.weight": random(4, 48, 3, 3), "encoder.0.bias": random(4)}
    tensors |= {"decoder.1.weight": random(widths[0], channels, 3, 3), "decoder.1.bias": random(widths[0])}
    for stage, first in enumerate((3, 9, 15)):
        width = widths[stage]
        for block in range(first, first + 3):
            for conv, inputs in ((0, 2 * width), (2, width), (4, width)):
                tensors[f"decoder.{block}.conv.{conv}.weight"] = random(width, inputs, 3, 3)
                tensors[f"decoder.{block}.conv.{conv}.bias"] = random(width)
        tensors[f"decoder.{first + 4}.conv.weight"] = random(width * stride, width, 1, 1)
        tensors[f"decoder.{first + 5}.weight"] = random(widths[stage + 1], width, 3, 3)
    return tensors | {"decoder.22.weight": random(outputs, widths[3], 3, 3), "decoder.22.bias": random(outputs)}


def decoded(tensors: Tensors, latent: torch.Tensor) -> torch.Tensor:
    """Compute all frames at once, without time upsampling, as its author describes it: (F, 3, H, W) in 0 .. 1."""
    hidden = torch.tanh(latent[0].movedim(1, 0) / 3) * 3

    def conv(frames: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(frames, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), padding=1)

    hidden = F.relu(conv(hidden, "decoder.1"))
    for first in (3, 9, 15):
        for block in range(first, first + 3):
            past = torch.cat([torch.zeros_like(hidden[:1]), hidden[:-1]])
            inner = F.relu(conv(torch.cat([hidden, past], 1), f"decoder.{block}.conv.0"))
            inner = conv(F.relu(conv(inner, f"decoder.{block}.conv.2")), f"decoder.{block}.conv.4")
            hidden = F.relu(inner + hidden)
        hidden = F.interpolate(hidden, scale_factor=2)
        hidden = F.conv2d(hidden, tensors[f"decoder.{first + 4}.conv.weight"][-hidden.shape[1] :])
        hidden = conv(hidden, f"decoder.{first + 5}")
    return F.pixel_shuffle(conv(F.relu(hidden), "decoder.22"), 4).clamp(0, 1)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Tensors], Path]:
    def save(tensors: Tensors) -> Path:
        path = tmp_path / "taeltx2_3.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return path

    return save


def test_each_latent_frame_is_a_frame_of_what_the_published_layers_compute(saved: Callable[[Tensors], Path]) -> None:
    tensors, latent = published(), torch.randn(1, CHANNELS, 3, 2, 4, generator=torch.Generator().manual_seed(2))

    frames = load_tiny_decoder(saved(tensors), CHANNELS, CPU, torch.float32).frames(latent)

    wanted = (decoded(tensors, latent) * 255).movedim(1, -1)
    assert frames.shape == (3, 64, 128, 3)
    assert (frames.float() - wanted).abs().max() <= 0.51
    assert wanted.std() > 10


def test_large_frames_are_scaled_down(saved: Callable[[Tensors], Path]) -> None:
    decoder = load_tiny_decoder(saved(published()), CHANNELS, CPU, torch.float32)

    assert decoder.frames(torch.randn(1, CHANNELS, 1, 9, 16)).shape == (1, 144, 256, 3)


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    torch.save(published(), tmp_path / "taeltx2_3.pth")

    with pytest.raises(WeightsError, match=r"taeltx2_3\.pth: is a zip archive.* a pickle.* save its tensors as"):
        load_tiny_decoder(tmp_path / "taeltx2_3.pth", CHANNELS, CPU, torch.float32)


def without(name: str) -> Tensors:
    return {other: tensor for other, tensor in published().items() if other != name}


REFUSED: list[tuple[Tensors, str]] = [
    (published(channels=32), "decodes latents of 32 channels, not of 16"),
    (published(outputs=12), "makes 16 pixels and 8 frames of one latent pixel, not 32 and 8"),
    (published(outputs=47), "not 32 and 8"),
    (published(stride=1), "makes 32 pixels and 1 frames of one latent pixel, not 32 and 8"),
    (without("decoder.1.weight"), "'decoder.1.weight' is missing"),
    (without("decoder.9.conv.2.bias"), "tensor 'decoder.9.conv.2.bias' is missing"),
    (published() | {"decoder.23.weight": torch.zeros(1)}, "it has no tensor 'decoder.23.weight'"),
    (published() | {"decoder.3.conv.0.weight": torch.zeros(12, 12, 3, 3)}, r"decoder.3.conv.0.weight has the shape"),
    ({"vae.decoder.conv_in.conv.weight": torch.zeros(1)}, "is no tiny decoder such as taeltx2_3"),
]


@pytest.mark.parametrize(("tensors", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_another_file_is_refused_in_words(saved: Callable[[Tensors], Path], tensors: Tensors, reason: str) -> None:
    path = saved(tensors)

    with pytest.raises(WeightsError, match=reason) as refusal:
        load_tiny_decoder(path, CHANNELS, CPU, torch.float32)

    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pth"):
        with pytest.raises(WeightsError, match=name):
            load_tiny_decoder(tmp_path / name, CHANNELS, CPU, torch.float32)
