"""The published FP8 layouts: their weights once loaded, and the accuracy of FP8 arithmetic."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace

# Rounding to nearest in E4M3: a relative error of half of 2^-3; below 2^-6, half of 2^-9 of the scale.
RELATIVE, ABSOLUTE = 2**-4, 2**-10

COMPANIONS = {
    "video_vae": ("vae.",),
    "audio_vae": ("audio_vae.", "vocoder."),
    "projection": ("text_embedding_projection.",),
}


@dataclass(frozen=True)
class Layout:
    checkpoint: Path
    companions: tuple[Path, ...] = ()


@pytest.fixture(scope="session")
def layouts(data: Path, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    folder = tmp_path_factory.mktemp("layouts")
    base = load_file(checkpoints["bf16"])
    with safe_open(checkpoints["bf16"], framework="pt") as file:
        metadata = file.metadata()
    rest = {name: tensor for name, tensor in base.items() if not name.startswith("model.")}
    save_file(load_file(data / "ltx-tiny-distilled-fp8-cast.model-part.safetensors") | rest, folder / "cast", metadata)
    comfy = data / "ltx-tiny-distilled_transformer_only_fp8_scaled.safetensors"
    save_file(old_spelling(load_file(comfy)), folder / "old")
    companions = []
    for name, prefixes in COMPANIONS.items():
        part = {key.removeprefix("vae."): tensor for key, tensor in rest.items() if key.startswith(prefixes)}
        # The file of the text projection has no metadata.
        save_file(part, folder / name, None if name == "projection" else metadata)
        companions.append(folder / name)
    save_file(load_file(folder / "video_vae"), folder / "bare_video_vae")
    return {
        "fp8": Layout(checkpoints["fp8"]),
        "cast": Layout(folder / "cast"),
        "comfy": Layout(comfy, tuple(companions)),
        "comfy without any config": Layout(comfy, (folder / "bare_video_vae", *bare(companions[1:], folder))),
        "comfy, old spelling": Layout(folder / "old", tuple(companions)),
    }


def old_spelling(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith((".comfy_quant", ".weight_scale"))}
    scales = {name: tensor for name, tensor in tensors.items() if name.endswith(".weight_scale")}
    renamed = {name.replace(".weight_scale", ".scale_weight"): tensor.reshape(1) for name, tensor in scales.items()}
    return kept | renamed | {"scaled_fp8": torch.empty(2, dtype=torch.float8_e4m3fn)}


def bare(files: list[Path], folder: Path) -> list[Path]:
    for file in files:
        save_file(load_file(file), folder / f"bare_{file.name}")
    return [folder / f"bare_{file.name}" for file in files]


@pytest.fixture(scope="session")
def load(layouts: dict[str, Layout], data: Path) -> Callable[..., Components]:
    @cache
    def load_layout(name: str, fp8: Fp8Mode = Fp8Mode.DEQUANTIZE, checkpoint: Path | None = None) -> Components:
        layout = layouts[name]
        upsampler = data / "ltx-tiny-spatial-upscaler-x2.safetensors"
        files = WeightFiles(checkpoint or layout.checkpoint, data / "text_encoder", upsampler, layout.companions)
        return load_components(files, torch.device("cpu"), torch.float32, fp8=fp8)

    return load_layout


def stage_2_video(components: Components, case) -> torch.Tensor:
    class Recorder(Trace):
        def tensors(self, **tensors: torch.Tensor) -> None:
            kept.update(tensors)

    kept: dict[str, torch.Tensor] = {}
    generate(components, replace(case.spec, generate_audio=False), Recorder())
    return kept["stage_2_video"]


@pytest.mark.parametrize("layout", ["fp8", "cast", "comfy", "comfy without any config", "comfy, old spelling"])
def test_every_weight_equals_the_bf16_one_within_rounding(layout: str, load, components: dict[str, Components]) -> None:
    base, loaded = components["bf16"], load(layout)

    for found, exact in (
        (loaded.transformer, base.transformer),
        (loaded.encode_prompt.modules[1], base.encode_prompt.modules[1]),
    ):
        expected = dict(exact.named_parameters())
        for name, tensor in found.named_parameters():
            scale = float(expected[name].abs().max()) / 448 if layout != "cast" else 1.0
            bound = RELATIVE * expected[name].abs() + ABSOLUTE * scale
            assert ((tensor - expected[name]).abs() <= 1.01 * bound).all(), name
    for part in ("video_vae", "audio_vae", "vocoder"):
        expected = getattr(base, part).state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in getattr(loaded, part).state_dict().items())


@pytest.mark.parametrize("case", ["t2v"], indirect=True)
def test_name_variants_of_one_file_give_the_same_clip(load, case) -> None:
    expected = stage_2_video(load("comfy"), case)

    for layout in ("comfy without any config", "comfy, old spelling"):
        assert torch.equal(stage_2_video(load(layout), case), expected), layout


@pytest.mark.parametrize("layout", ["fp8", "comfy"])
@pytest.mark.parametrize("case", ["fp8-weights"], indirect=True)
def test_fp8_arithmetic_stays_near_full_precision(layout: str, load, case, relative_error) -> None:
    scaled = load(layout, Fp8Mode.SCALED)

    assert sum(isinstance(module, Fp8Linear) for module in scaled.transformer.modules()) >= 20
    assert relative_error(stage_2_video(scaled, case), stage_2_video(load(layout), case)) < 0.05


def changed(source: Path, target: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Path:
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    save_file({name: change(name, tensor) for name, tensor in load_file(source).items()}, target, metadata)
    return target


def test_static_scales_come_from_the_file_and_placeholders_are_ignored(load, layouts, tmp_path: Path) -> None:
    placeholder = changed(
        layouts["fp8"].checkpoint,
        tmp_path / "placeholder.safetensors",
        lambda name, tensor: torch.ones_like(tensor) if name.endswith("input_scale") else tensor,
    )
    static = [m for m in load("fp8", Fp8Mode.SCALED).transformer.modules() if isinstance(m, Fp8Linear)]
    dynamic = [m for m in load("fp8", Fp8Mode.SCALED, placeholder).transformer.modules() if isinstance(m, Fp8Linear)]

    assert all(linear.input_scale is not None and linear.input_scale != 1 for linear in static)
    assert len(dynamic) == len(static)
    assert all(linear.input_scale is None for linear in dynamic)


def test_a_layer_marked_for_full_precision_gets_it(load, layouts, tmp_path: Path) -> None:
    marker = json.dumps({"format": "float8_e4m3fn", "full_precision_matrix_mult": True}).encode()
    layer = "transformer_blocks.1.attn1.to_q"
    file = changed(
        layouts["comfy"].checkpoint,
        tmp_path / "marked.safetensors",
        lambda name, tensor: (
            torch.tensor(list(marker), dtype=torch.uint8) if name.endswith(f"{layer}.comfy_quant") else tensor
        ),
    )

    transformer = load("comfy", Fp8Mode.SCALED, file).transformer
    assert isinstance(transformer.get_submodule(layer), torch.nn.Linear)
    assert isinstance(transformer.get_submodule("transformer_blocks.0.attn1.to_q"), Fp8Linear)
