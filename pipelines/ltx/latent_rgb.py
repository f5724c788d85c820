"""Show a video latent without its VAE: a linear map from its channels to RGB, one pixel per latent pixel and frame.

The map is fitted to one VAE by `pipelines.ltx.preview_fit`, and kept in a file named by that VAE's identity.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from weights.disk import replacing
from weights.errors import FileError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Video

SHIPPED = Path(__file__).parents[2] / "weights" / "data"
FILE_NAME = "preview-{identity}.safetensors"
# Where fitted maps are kept, below the cache folder.
FOLDER = "previews"


@dataclass(frozen=True)
class LatentRgb:
    """RGB in -1 .. 1 is bias (3,) + channels @ weight (C, 3), both float32."""

    weight: torch.Tensor
    bias: torch.Tensor

    def frames(self, latent: torch.Tensor) -> torch.Tensor:
        """Convert a normalised latent (1, C, F, h, w) to (F, h, w, 3) uint8."""
        rgb = latent[0].movedim(0, -1).float() @ self.weight + self.bias
        return ((rgb + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    def to(self, device: torch.device) -> "LatentRgb":
        return LatentRgb(self.weight.to(device), self.bias.to(device))

    def save(self, path: Path) -> None:
        """Raise FileError if the file cannot be written."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                save_file({"weight": self.weight.cpu().contiguous(), "bias": self.bias.cpu().contiguous()}, part)
        except (OSError, SafetensorError) as exc:
            raise FileError(path, f"cannot be written: {getattr(exc, 'strerror', None) or exc}") from exc


def vae_identity(vae: "AutoencoderKLLTX2Video") -> str:
    """Hash what determines the meaning of the latent's channels: where the encoder begins and ends."""
    encoder = vae.encoder
    digest = hashlib.sha256()
    for tensor in (vae.latents_mean, vae.latents_std, encoder.conv_in.conv.weight, encoder.conv_out.conv.weight):
        digest.update(str(tuple(tensor.shape)).encode())
        # The published files are in bfloat16: what it drops is not in them.
        digest.update(tensor.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]


def map_path(cache_dir: Path, identity: str) -> Path:
    """Return where the map of a VAE is, or is to be written: in the package if it is shipped, else in the cache."""
    name = FILE_NAME.format(identity=identity)
    return SHIPPED / name if (SHIPPED / name).is_file() else cache_dir / FOLDER / name


def read_map(path: Path, channels: int) -> LatentRgb | None:
    """Read a map for latents of this many channels. Return None if there is no such file, or it holds none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        found = LatentRgb(tensors["weight"].float(), tensors["bias"].float())
    except (OSError, KeyError, SafetensorError):
        return None
    is_map = found.weight.shape == (channels, 3) and found.bias.shape == (3,)
    return found if is_map and found.weight.isfinite().all() and found.bias.isfinite().all() else None
