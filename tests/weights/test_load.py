"""Loading weights: a missing, unexpected or wrongly shaped tensor is an error that names it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles
from weights.checkpoint import open_single
from weights.errors import TensorError, UnsupportedError
from weights.header import read_header
from weights.load import load_module
from weights.names import UPSAMPLER
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG

CPU = torch.device("cpu")
TABLE = "model.diffusion_model.transformer_blocks.1.scale_shift_table"


def load(tiny: TinyFiles, **files: Path) -> None:
    paths: dict[str, Any] = {
        "checkpoint": tiny.checkpoint,
        "text_encoder": tiny.text_encoder,
        "upsampler": tiny.upsampler,
    }
    load_components(WeightFiles(**paths | files), CPU, torch.float32)


def changed(source: Path, target: Path, metadata: dict[str, str] | None = None, **tensors: torch.Tensor | None) -> Path:
    """A copy of a file with tensors replaced, added, or (None) left out."""
    with safe_open(source, framework="pt") as file:
        kept_metadata = file.metadata()
    merged = load_file(source) | tensors
    save_file({k: v for k, v in merged.items() if v is not None}, target, metadata=metadata or kept_metadata)
    return target


def test_the_stored_values_are_loaded(tiny: TinyFiles) -> None:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    components = load_components(files, CPU, torch.float32)

    stored = load_file(tiny.checkpoint)
    assert torch.equal(components.transformer.get_parameter("transformer_blocks.1.scale_shift_table"), stored[TABLE])
    assert all(p.dtype == torch.float32 for p in components.vocoder.parameters())


def test_progress_counts_the_bytes_of_all_components(tiny: TinyFiles) -> None:
    reports: list[tuple[str, int, int]] = []
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    load_components(files, CPU, torch.float32, lambda *report: reports.append(report))

    names = [name for name, _, _ in reports]
    assert set(names) == {
        *("transformer", "connectors", "video_vae", "audio_vae", "vocoder", "upsampler", "text_encoder")
    }
    done_bytes = [done for _, done, _ in reports]
    assert done_bytes == sorted(done_bytes)
    stored_bytes = sum(path.stat().st_size for path in (tiny.checkpoint, tiny.upsampler, *tiny.text_encoder.iterdir()))
    # Files have headers, a tokenizer and what is not loaded, too.
    assert 0.8 * stored_bytes < done_bytes[-1] <= stored_bytes
    assert {total for _, _, total in reports} == {done_bytes[-1]}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({TABLE: None}, "missing tensor 'model.diffusion_model.transformer_blocks.1.scale_shift_table'"),
        (
            {"model.diffusion_model.extra.weight": torch.zeros(2)},
            "unexpected tensor 'model.diffusion_model.extra.weight'",
        ),
        ({"stranger.weight": torch.zeros(2)}, "unexpected tensor 'stranger.weight'"),
        ({TABLE: torch.zeros(9, 47)}, r"scale_shift_table' has shape \[9, 47\], .* needs \[9, 160\]"),
    ],
)
def test_a_wrong_tensor_is_named(tensors, message: str, tiny: TinyFiles, tmp_path: Path) -> None:
    path = changed(tiny.checkpoint, tmp_path / "wrong.safetensors", **tensors)

    with pytest.raises(TensorError, match=message) as caught:
        load(tiny, checkpoint=path)
    assert str(path) in str(caught.value)


def test_an_fp8_tensor_without_a_scale_among_scaled_ones_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    prefix = "model.diffusion_model.transformer_blocks.0.attn1."
    stored = load_file(tiny.checkpoint)
    tensors: dict[str, Any] = {
        f"{prefix}{name}.weight": stored[f"{prefix}{name}.weight"].to(torch.float8_e4m3fn) for name in ("to_q", "to_k")
    }
    scale: dict[str, Any] = {f"{prefix}to_k.weight_scale": torch.tensor(0.5)}

    with pytest.raises(UnsupportedError, match=r"to_q\.weight' is FP8 and has no scale, unlike 1 others"):
        load(tiny, checkpoint=changed(tiny.checkpoint, tmp_path / "half.safetensors", **tensors, **scale))


@pytest.mark.parametrize(
    ("prefixes", "option"),
    [
        (("vae.",), "no video VAE: give --video-vae"),
        (("audio_vae.", "vocoder."), "no audio VAE: give --audio-vae"),
        (("text_embedding_projection.",), "no text projection: give --text-projection"),
    ],
)
def test_a_missing_companion_file_is_named(
    prefixes: tuple[str, ...], option: str, tiny: TinyFiles, tmp_path: Path
) -> None:
    gone = {name: None for name in load_file(tiny.checkpoint) if name.startswith(prefixes)}

    with pytest.raises(UnsupportedError, match=option):
        load(tiny, checkpoint=changed(tiny.checkpoint, tmp_path / "part.safetensors", **gone))


@pytest.mark.parametrize("feature", ["causal_decoder", "timestep_conditioning"])
def test_a_video_decoder_of_another_generation_is_refused(feature: str, tiny: TinyFiles, tmp_path: Path) -> None:
    config = CHECKPOINT_CONFIG | {"vae": CHECKPOINT_CONFIG["vae"] | {feature: True}}
    path = changed(tiny.checkpoint, tmp_path / "other.safetensors", metadata={"config": json.dumps(config)})

    with pytest.raises(UnsupportedError, match=f"video VAE is not LTX-2.3's: {feature}"):
        load(tiny, checkpoint=path)


def test_the_upsampler_is_refused_as_a_checkpoint(tiny: TinyFiles) -> None:
    with pytest.raises(UnsupportedError, match="holds no transformer"):
        load(tiny, checkpoint=tiny.upsampler)


def test_a_checkpoint_is_refused_as_the_upsampler(tiny: TinyFiles) -> None:
    with pytest.raises(UnsupportedError, match="is not a latent upsampler"):
        load(tiny, upsampler=tiny.checkpoint)


def test_a_buffer_that_is_in_no_file_and_stays_on_meta_is_an_error(tmp_path: Path) -> None:
    with torch.device("meta"):
        module = torch.nn.Linear(2, 2, bias=False)
        module.register_buffer("kernel", torch.zeros(3), persistent=False)
    save_file({"weight": torch.ones(2, 2)}, tmp_path / "linear.safetensors")

    with pytest.raises(TensorError, match="never loaded tensor 'kernel' of Linear"):
        load_module(module, open_single(read_header(tmp_path / "linear.safetensors")), UPSAMPLER, CPU, torch.float32)
