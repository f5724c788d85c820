"""Turn the images that condition a clip into clean latents and their positions."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from pipelines.geometry import SPATIAL_COMPRESSION, LatentGrid
from pipelines.ltx.latents import normalize_video, pack_video
from pipelines.media.image import load_image
from pipelines.media.image_crop import Crop, Size
from pipelines.spec import Keyframe

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Video


# A picture scaled to cover the frame may exceed its width or height by this factor before it is trimmed.
MAX_OVERHANG = 8

# x264 takes neither larger nor odd sizes: a side of one pixel is doubled.
MAX_ENCODER_SIDE = 16384


@dataclass(frozen=True)
class Conditioning:
    """An image encoded at the size of one stage. tokens: (1, H * W, C), normalised."""

    frame_idx: int
    strength: float
    tokens: torch.Tensor


@dataclass(frozen=True)
class Picture:
    """A keyframe's image on the host, read, re-compressed once, and scaled to each stage's size.

    pixels: (1, 3, H, W) float32 in -1 .. 1 for each grid.
    """

    keyframe: Keyframe
    pixels: Mapping[LatentGrid, torch.Tensor]

    def encode(self, vae: "AutoencoderKLLTX2Video", grid: LatentGrid, device: torch.device) -> Conditioning:
        """Encode with the VAE's dtype; return float32."""
        picture = self.pixels[grid].unsqueeze(2).to(device, vae.dtype)
        latent = vae.encode(picture).latent_dist.mode()  # (1, C, 1, H, W)
        tokens = pack_video(normalize_video(latent.float(), vae))
        return Conditioning(self.keyframe.frame_idx, self.keyframe.strength, tokens)


@torch.inference_mode()
def prepare_picture(keyframe: Keyframe, grids: Collection[LatentGrid], aspect: float) -> Picture:
    """Do what an image needs on the host. May run in any thread. Raises ImageError.

    aspect: width / height of the clip.
    """
    pixels = recompress(trim(load_image(keyframe.path), aspect), keyframe.crf)
    whole = torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0).float()
    return Picture(keyframe, {grid: _scale(whole, grid) for grid in grids})


@torch.inference_mode()
def prepare_squeezed_picture(keyframe: Keyframe, grids: Collection[LatentGrid], clip: Size) -> Picture:
    """Prepare an image as `prepare_picture` does, for frames that will be stretched to the size of `clip`.

    Raises ImageError.
    """
    pixels = recompress(trim(load_image(keyframe.path), clip.width / clip.height), keyframe.crf)
    height, width = pixels.shape[:2]
    shown = Crop(Size(width, height), clip).shown
    top, left = (height - shown.height) // 2, (width - shown.width) // 2
    part = torch.from_numpy(pixels[top : top + shown.height, left : left + shown.width].copy())
    part = part.permute(2, 0, 1).unsqueeze(0).float()
    return Picture(keyframe, {grid: _squeeze(part, grid) for grid in grids})


def _squeeze(part: torch.Tensor, grid: LatentGrid) -> torch.Tensor:
    """Scale an image of values 0 .. 255 to the grid's pixels, whatever its shape."""
    size = (grid.height * SPATIAL_COMPRESSION, grid.width * SPATIAL_COMPRESSION)
    scaled = torch.nn.functional.interpolate(part, size=size, mode="bilinear", align_corners=False, antialias=True)
    return scaled / 127.5 - 1


def _scale(whole: torch.Tensor, grid: LatentGrid) -> torch.Tensor:
    """Cover the grid's pixels with an image of values 0 .. 255."""
    return cover(whole, grid.height * SPATIAL_COMPRESSION, grid.width * SPATIAL_COMPRESSION) / 127.5 - 1


def trim(pixels: np.ndarray, aspect: float) -> np.ndarray:
    """Cut a very thin picture to its centre: scaled to cover the frame, 20000 x 2 pixels would take gigabytes."""
    height, width = pixels.shape[:2]
    max_width = math.ceil(height * aspect * MAX_OVERHANG)
    max_height = math.ceil(width / aspect * MAX_OVERHANG)
    top, left = max(0, height - max_height) // 2, max(0, width - max_width) // 2
    return pixels[top : top + max_height, left : left + max_width]


def recompress(pixels: np.ndarray, crf: int) -> np.ndarray:
    """Encode once with H.264, as the training pictures were; crf 0 skips it."""
    from diffusers.pipelines.ltx2.utils import apply_image_conditioning_crf

    if crf == 0:
        return pixels
    pixels = np.repeat(pixels, 2, axis=0) if pixels.shape[0] == 1 else pixels
    pixels = np.repeat(pixels, 2, axis=1) if pixels.shape[1] == 1 else pixels
    if max(pixels.shape) > MAX_ENCODER_SIDE:
        pixels = np.asarray(Image.fromarray(pixels).reduce(math.ceil(max(pixels.shape) / MAX_ENCODER_SIDE)))
    recompressed: np.ndarray = apply_image_conditioning_crf(np.ascontiguousarray(pixels), crf)
    return recompressed


def cover(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale (1, 3, h, w) to cover height x width and crop the centre. Bilinear without antialias, as in training."""
    source_height, source_width = picture.shape[-2:]
    scale = max(height / source_height, width / source_width)
    size = (math.ceil(source_height * scale), math.ceil(source_width * scale))
    picture = torch.nn.functional.interpolate(picture, size=size, mode="bilinear", align_corners=False)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return picture[..., top : top + height, left : left + width]


def keyframe_coords(grid_coords: torch.Tensor, grid: LatentGrid, frame_idx: int, fps: float) -> torch.Tensor:
    """Return the positions of an image appended as tokens: (1, 3, H * W, 2).

    Rows and columns are those of the first latent frame, the time is that of one pixel frame.
    grid_coords: (1, 3, T, 2), [start, end) in seconds, pixels, pixels.
    """
    coords = grid_coords[:, :, : grid.tokens_per_frame].clone()
    coords[:, 0, :, 0] = frame_idx / fps
    coords[:, 0, :, 1] = (frame_idx + 1) / fps
    return coords
