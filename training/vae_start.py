"""Compute a video VAE that works before any training: principal components of blocks of pixels, level by level.

A decoder's level turns the components of a block into those of its four parts, and an encoder's is fitted to do the
opposite. The last norm and SiLU of each stay close to linear, because one channel is constant and large: 24 dB on
photographs, from where training takes minutes instead of hours.
"""

import torch
from torch.nn import functional as F

from training.picture_vae import KERNEL, Conv, Downsampler, PictureVAE, Upsampler, activate

# The size of the constant channel in deviations of the others.
CONSTANT = 12.0
# Of the fits' kernels, so that no channel is dead.
NOISE = 0.02
MAX_ROWS = 40000
CENTRE = KERNEL**2 // 2


@torch.no_grad()
def start_from_components(model: PictureVAE, pictures: torch.Tensor) -> None:
    """Set the weights. pictures: (N, 3, H, W) in -1 .. 1, H and W multiples of 64."""
    patches = model.to_patches(pictures)
    latent = _start_decoder(model, patches)
    _start_encoder(model, patches, latent)


def _start_decoder(model: PictureVAE, patches: torch.Tensor) -> torch.Tensor:
    """Return the latent that the decoder expects for each picture."""
    decoder = model.decoder
    upsamplers = [block for block in decoder.up_blocks if isinstance(block, Upsampler)]
    base = decoder.conv_out.inputs
    pairs = (base - 2) // 2
    components = _components(patches, pairs)
    features = project = _apply(components, patches)
    _clear(decoder.conv_in)
    for upsampler in reversed(upsamplers):
        blocks = F.pixel_unshuffle(features, upsampler.space)
        basis = _components(blocks, min(upsampler.conv.inputs, blocks.shape[1]))
        features = _apply(basis, blocks)
        _clear(upsampler.conv)
        shuffled = basis.T.reshape(-1, upsampler.space**2, len(basis))
        if upsampler is upsamplers[-1]:  # each component and its opposite, then the constant
            shuffled = torch.cat([shuffled, -shuffled])
            bias = upsampler.conv.conv.bias.view(-1, upsampler.space**2)
            bias[len(shuffled) :] = CONSTANT * project.std() * pairs**0.5
        _set_centre(upsampler.conv, shuffled.flatten(0, 1))
    _set_centre(decoder.conv_in, torch.eye(features.shape[1]))
    latent = F.pad(features, (0, 0, 0, 0, 0, decoder.conv_in.inputs - features.shape[1]))
    windows = F.unfold(decoder.features(latent), KERNEL, padding=1)
    weight, bias = fit_linear(_rows(windows.view(len(latent), -1, *patches.shape[2:])), _rows(patches))
    decoder.conv_out.conv.weight.copy_(weight)
    decoder.conv_out.conv.bias.copy_(bias)
    return latent


def _start_encoder(model: PictureVAE, patches: torch.Tensor, latent: torch.Tensor) -> None:
    encoder = model.encoder
    _clear(encoder.conv_in)
    _set_centre(encoder.conv_in, _components(patches, patches.shape[1]))
    hidden, blocks = encoder.conv_in(patches), patches
    downsamplers = [block for block in encoder.down_blocks if isinstance(block, Downsampler)]
    for block in encoder.down_blocks:
        if not isinstance(block, Downsampler):
            continue
        last = block is downsamplers[-1]
        count = min(block.conv.outputs - (1 if last else 0), blocks.shape[1])
        wanted = _apply(_components(blocks, count), blocks)
        weight, bias = fit_linear(_rows(hidden), _rows(wanted))
        _clear(block.conv)
        _set_centre(block.conv, weight)
        block.conv.conv.bias[:count] = bias
        if last:
            block.conv.conv.bias[-1] = 3 * CONSTANT * wanted.std()
        hidden, blocks = block(hidden), F.pixel_unshuffle(blocks, block.space)
    weight, bias = fit_linear(_rows(activate(hidden)), _rows(latent))
    _clear(encoder.conv_out)
    _set_centre(encoder.conv_out, weight)
    encoder.conv_out.conv.bias[: len(bias)] = bias


def _components(x: torch.Tensor, count: int) -> torch.Tensor:
    """Return the `count` directions of the channels with the largest mean squares, (count, channels)."""
    rows = _rows(x).double()
    vectors: torch.Tensor = torch.linalg.eigh(rows.T @ rows)[1]
    return vectors.flip(1)[:, :count].T.float()


def _apply(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return torch.einsum("oc,bchw->bohw", matrix, x)


def _rows(x: torch.Tensor) -> torch.Tensor:
    """Return pixels of (B, C, H, W) as rows, the same ones for all inputs of one size."""
    rows = x.movedim(1, -1).flatten(0, -2)
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:MAX_ROWS].to(rows.device)]


def fit_linear(inputs: torch.Tensor, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weight and bias of the least squares."""
    padded = F.pad(inputs, (0, 1), value=1.0).double()
    gram = padded.T @ padded
    gram.diagonal().add_(1e-6 * gram.diagonal().mean())
    solution = torch.linalg.solve(gram, padded.T @ outputs.double()).float()
    return solution[:-1].T, solution[-1]


def _clear(conv: Conv) -> None:
    conv.conv.weight.normal_(0, NOISE * conv.conv.weight.shape[1] ** -0.5)
    conv.conv.bias.zero_()


def _set_centre(conv: Conv, matrix: torch.Tensor) -> None:
    kernel = conv.conv.weight.view(conv.outputs, conv.inputs, KERNEL**2)
    kernel[: matrix.shape[0], : matrix.shape[1], CENTRE] += matrix
