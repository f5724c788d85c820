"""Every published layout at full size, in sparse files: each tensor is a parameter of a module, and none is missing."""

import json
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.bench.stock import diffusers_name
from pipelines.bench.stock_flow import SCHEDULER
from pipelines.ltx.build import build_module, use_fp8
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode
from weights.full_config import full_config
from weights.full_model import TEXT_LAYERS
from weights.header import TensorInfo
from weights.inspect import inspect
from weights.load import validate_coverage, validate_match
from weights.names import MODEL, ONE_FILE
from weights.published import published_tensors
from weights.source import Source, open_source

DATA = Path(__file__).parent / "data"
CONFIG = full_config()
# Configs by folder, as diffusers saves them.
DIFFUSERS_CONFIGS = json.loads((DATA / "diffusers-kwargs-full.json").read_text())
FOLDERS = {name: "vae" if name == "video_vae" else name for name in ONE_FILE}
SCALAR = TensorInfo("F32", ())

Tensors = dict[str, TensorInfo]


@pytest.fixture(scope="module")
def bf16() -> Tensors:
    return published_tensors(CONFIG, TEXT_LAYERS)


def official_fp8(bf16: Tensors) -> Tensors:
    """Return the tensors with every matrix of blocks 4 to 46 in FP8, with both scales."""
    tensors: Tensors = {}
    for name, info in bf16.items():
        tensors[name] = info
        block = name.removeprefix(f"{MODEL}transformer_blocks.").split(".")[0]
        if block.isdigit() and 4 <= int(block) <= 46 and name.endswith(".weight") and len(info.shape) == 2:
            layer = name.removesuffix(".weight")
            tensors[name] = TensorInfo("F8_E4M3", info.shape)
            tensors |= {f"{layer}.weight_scale": SCALAR, f"{layer}.input_scale": SCALAR}
    return tensors


def sparse_file(path: Path, tensors: Mapping[str, TensorInfo], **metadata: str) -> Path:
    """Write a file of zeros that takes no disk space beyond its header."""
    entries: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, info in tensors.items():
        entries[name] = {"dtype": info.dtype, "shape": info.shape, "data_offsets": [end, end + info.size_bytes]}
        end += info.size_bytes
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + end)
    return path


def sparse_folder(path: Path, tensors: Mapping[str, TensorInfo], configs: Mapping[str, object]) -> Path:
    """Write a sparse folder as diffusers does, with the transformer in two shards."""
    for name, name_map in ONE_FILE.items():
        part = path / FOLDERS[name]
        part.mkdir(parents=True)
        (part / "config.json").write_text(json.dumps(configs[FOLDERS[name]]))
        renamed = {new: tensors[published] for published, new in name_map.select(tensors).items()}
        if name == "transformer":
            renamed = {diffusers_name(published): info for published, info in renamed.items()}
        if name != "transformer":
            sparse_file(part / "diffusion_pytorch_model.safetensors", renamed)
            continue
        shards = {tensor: f"part-{i % 2}.safetensors" for i, tensor in enumerate(renamed)}
        for file in set(shards.values()):
            sparse_file(part / file, {tensor: info for tensor, info in renamed.items() if shards[tensor] == file})
        index = {"metadata": {"total_size": 0}, "weight_map": shards}
        (part / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    (path / "scheduler").mkdir()
    (path / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return path


def validate_whole(source: Source, mode: Fp8Mode = Fp8Mode.SCALED) -> int:
    """Validate a source as the loader does, without reading it; return how many layers would multiply in FP8."""
    checkpoint = source.checkpoint
    validate_coverage(checkpoint, source.name_maps.values())
    linears = 0
    for name, name_map in source.name_maps.items():
        module = build_module(name, source.architecture[name])
        if name == "transformer":
            use_fp8(module, checkpoint, name_map, mode)
            linears = sum(isinstance(layer, Fp8Linear) for layer in module.modules())
        validate_match(module, checkpoint, name_map)
    return linears


def test_the_official_fp8_file_is_valid(bf16: Tensors, tmp_path: Path) -> None:
    tensors = official_fp8(bf16)
    path = sparse_file(tmp_path / "fp8.safetensors", tensors, config=json.dumps(CONFIG), model_version="2.3.0")

    assert Counter(info.dtype for info in tensors.values()) == {"BF16": 4195, "F32": 3214, "F8_E4M3": 1462}
    assert inspect(path).layout == "one file, scaled FP8, static activations"
    assert validate_whole(open_source(path)) == 1462
    assert validate_whole(open_source(path), Fp8Mode.SCALED_ALL) == 1462 / 43 * 48


def test_a_bf16_file_is_quantised_in_the_official_layers(bf16: Tensors, tmp_path: Path) -> None:
    path = sparse_file(tmp_path / "bf16.safetensors", bf16, config=json.dumps(CONFIG), model_version="2.3.0")

    assert validate_whole(open_source(path)) == 1462


def test_a_plain_fp8_cast_has_no_layers_that_multiply_in_fp8(bf16: Tensors, tmp_path: Path) -> None:
    cast = {n: TensorInfo("F8_E4M3", info.shape) if n.startswith(MODEL) else info for n, info in bf16.items()}
    path = sparse_file(tmp_path / "cast.safetensors", cast, config=json.dumps(CONFIG))

    assert inspect(path).layout == "one file, FP8 cast without scales"
    assert validate_whole(open_source(path)) == 0


def test_comfys_transformer_with_companions_and_no_config_is_valid(bf16: Tensors, tmp_path: Path) -> None:
    scaled = {n: info for n, info in official_fp8(bf16).items() if n.startswith(MODEL) and "input_scale" not in n}
    markers = {n.replace("weight_scale", "comfy_quant"): TensorInfo("U8", (27,)) for n in scaled if "weight_scale" in n}
    main = sparse_file(tmp_path / "transformer.safetensors", scaled | markers)
    parts = {
        "video_vae": {n.removeprefix("vae."): info for n, info in bf16.items() if n.startswith("vae.")},
        "audio_vae": {n: info for n, info in bf16.items() if n.startswith(("audio_vae.", "vocoder."))},
        "projection": {n: info for n, info in bf16.items() if n.startswith("text_embedding_projection.")},
    }
    companions = [sparse_file(tmp_path / f"{name}.safetensors", tensors) for name, tensors in parts.items()]

    assert [len(tensors) for tensors in parts.values()] == [170, 1329, 4]
    # The sizes of the three published files, without headers.
    sizes = [sum(info.size_bytes for info in tensors.values()) for tensors in parts.values()]
    assert sizes == [1_452_212_450, 364_666_868, 2_312_122_368]
    assert inspect(main).missing == ("video VAE", "audio VAE", "text projection")
    assert validate_whole(open_source(main, companions)) == 1462


def test_the_diffusers_folder_is_valid(bf16: Tensors, tmp_path: Path) -> None:
    path = sparse_folder(tmp_path / "folder", bf16, DIFFUSERS_CONFIGS)
    source = open_source(path)

    # diffusers keeps two statistics of each VAE; the file has more for the video VAE.
    assert len(source.checkpoint.tensors) == sum(len(name_map.select(bf16)) for name_map in ONE_FILE.values())
    assert inspect(path).layout == "diffusers folder, BF16"
    assert validate_whole(source) == 1462


def test_an_empty_config_means_ltx_2_3(bf16: Tensors, tmp_path: Path) -> None:
    """The defaults of the classes are often those of LTX-2.0."""
    full = open_source(sparse_folder(tmp_path / "full", bf16, DIFFUSERS_CONFIGS))
    bare = open_source(sparse_folder(tmp_path / "bare", bf16, {key: {} for key in DIFFUSERS_CONFIGS}))

    assert bare.architecture == full.architecture
    for name, folder in FOLDERS.items():
        assert full.architecture[name].items() >= DIFFUSERS_CONFIGS[folder].items()
