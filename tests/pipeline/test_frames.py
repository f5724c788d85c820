"""Pixels become bytes, and YUV as the encoder's own converter makes it."""

import numpy as np
import pytest
import torch

from pipelines.ltx.frames import Convert, convert_for, is_black, to_rgb, to_yuv420p
from pipelines.media.encoders import YuvConverter


def test_rgb_is_rounded_bytes() -> None:
    pixels = torch.tensor([-2.0, -1.0, 0.0, 0.004, 1.0, 3.0]).reshape(1, 1, 1, 1, 6).expand(1, 3, 1, 1, 6)

    frames = to_rgb(pixels)

    assert frames.dtype == torch.uint8
    assert frames[0, 0, :, 0].tolist() == [0, 0, 128, 128, 255, 255]


def noise() -> torch.Tensor:
    return torch.rand(1, 3, 2, 64, 128, generator=torch.Generator().manual_seed(1)) * 2.4 - 1.2


def extremes() -> torch.Tensor:
    """Return pixels whose chroma overshoots in the scaler."""
    return torch.randint(0, 2, (1, 3, 2, 64, 128), generator=torch.Generator().manual_seed(1)) * 2.0 - 1


def gradients() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 128), indexing="ij")
    return torch.stack([rows, columns, -rows * columns])[None, :, None]


@pytest.mark.parametrize("pixels", [noise(), extremes(), gradients()], ids=["noise", "extremes", "gradients"])
def test_yuv_is_that_of_the_encoders_converter(pixels: torch.Tensor) -> None:
    height = pixels.shape[3]
    converter = YuvConverter(128, height, threads=1)
    wanted = np.stack([converter.convert(frame).to_ndarray() for frame in to_rgb(pixels).numpy()])

    frames = to_yuv420p(pixels).numpy()

    assert frames.shape == wanted.shape
    difference = np.abs(frames.astype(int) - wanted)
    assert difference.max() <= 1
    # Not zero, because the converter gets rounded RGB.
    assert difference[:, :height].mean() < 0.2
    assert difference[:, height:].mean() < 0.2


@pytest.mark.parametrize("convert", [to_rgb, to_yuv420p])
@pytest.mark.parametrize(
    ("value", "black"), [(-1.0, True), (float("nan"), True), (-1 + 2 / 255, False), (1.0, False)], ids=str
)
def test_a_frame_without_light_is_black(convert: Convert, value: float, black: bool) -> None:
    pixels = torch.full((1, 3, 1, 64, 64), -1.0)
    pixels[..., 63, 63] = value

    assert is_black(convert(pixels)[0].numpy()) is black


def test_a_cpu_leaves_the_conversion_to_the_encoder() -> None:
    assert convert_for(torch.device("cpu")) is to_rgb
    assert convert_for(torch.device("cuda")) is to_yuv420p
