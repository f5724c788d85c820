"""Wrong or incomplete text encoders: refused before anything is loaded, with what is needed."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import Gemma3ForConditionalGeneration

from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles
from tests.pipeline.gemma import (
    CPU,
    TOKENIZER_FILES,
    Tensors,
    comfy_fp8,
    copy_of,
    new_names,
    single_file_names,
    tensors_of,
    write_gemma,
)
from weights.errors import FileError, TensorError, UnsupportedError, WeightsError
from weights.tiny import TinyFiles, byte_tokenizer

Q_PROJ = "layers.1.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def folder(tiny: TinyFiles) -> Path:
    return tiny.text_encoder


def load(tiny: TinyFiles, text_encoder: Path) -> None:
    """Load the models; check that no weights were read before the text encoder was refused."""
    reports: list[str] = []
    files = WeightFiles(tiny.checkpoint, text_encoder, tiny.upsampler)
    try:
        load_components(files, CPU, torch.float32, lambda name, done, total: reports.append(name))
    finally:
        assert reports == []


def reconfigured(folder: Path, target: Path, **changes: Any) -> Path:
    copy = copy_of(folder, target)
    config = json.loads((copy / "config.json").read_text()) | changes
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_a_missing_path_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"absent: is not there; the folder of Gemma 3 12B is needed"):
        load(tiny, tmp_path / "absent")


def test_another_size_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    """For example Gemma 3 4B in place of 12B."""
    other = write_gemma(tmp_path / "other", hidden_size=24, num_hidden_layers=4)

    with pytest.raises(UnsupportedError, match="has 4 layers of width 24; the checkpoint needs 3 of width 64"):
        load(tiny, other)


def test_another_size_in_a_single_file_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    other = write_gemma(tmp_path / "other", num_hidden_layers=4)
    save_file(single_file_names(tensors_of(other)), other / "gemma.safetensors")

    with pytest.raises(UnsupportedError, match="has 4 layers of width 64; the checkpoint needs 3 of width 64"):
        load(tiny, other / "gemma.safetensors")


@pytest.mark.parametrize("model_type", ["gemma2", "llama", None])
def test_another_model_is_refused(model_type: str | None, tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = reconfigured(folder, tmp_path / "other", model_type=model_type)

    with pytest.raises(UnsupportedError, match=rf"model_type {model_type!r}; .*Gemma 3 12B .*\(gemma-3-12b-it\)"):
        load(tiny, other)


def test_another_model_in_a_single_file_is_refused(tiny: TinyFiles) -> None:
    with pytest.raises(UnsupportedError, match=r"is not Gemma 3: tensor 'embed_tokens\.weight' is missing"):
        load(tiny, tiny.upsampler)


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "gemma3"}', '{"model_type": "gemma3", "text_config": 1}'])
def test_an_invalid_config_is_refused(text: str, tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    (other / "config.json").write_text(text)

    with pytest.raises(WeightsError, match=r"other(/config\.json: is not|: its config\.json is not Gemma 3's)"):
        load(tiny, other)


def test_a_config_with_wrong_types_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    text_config = json.loads((folder / "config.json").read_text())["text_config"] | {"hidden_size": "wide"}

    with pytest.raises(UnsupportedError, match="hidden_size"):
        load(tiny, reconfigured(folder, tmp_path / "other", text_config=text_config))


def test_a_folder_without_a_config_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"is not a Hugging Face folder \(no config\.json\); .*gemma-3-12b-it"):
        load(tiny, tmp_path)


def test_a_folder_with_only_a_single_file_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "gemma_3_12B_it_fp8_scaled.safetensors"
    save_file(comfy_fp8(tensors_of(folder)), path)

    with pytest.raises(FileError, match=rf"to use a single file give its own path, such as {path}"):
        load(tiny, tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused(name: str, tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    torch.save(tensors_of(other), other / name)
    (other / "model.safetensors").unlink()

    with pytest.raises(UnsupportedError, match=rf"holds pickled weights \({name}\), which can run any code"):
        load(tiny, other)


def test_a_folder_without_weights_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    (other / "model.safetensors").unlink()

    with pytest.raises(FileError, match=r"holds no \.safetensors file"):
        load(tiny, other)


@pytest.fixture
def sharded(folder: Path, tmp_path: Path) -> Path:
    model = Gemma3ForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path / "shards", max_shard_size="40KB")
    byte_tokenizer().save_pretrained(tmp_path / "shards")
    return tmp_path / "shards"


def test_a_missing_shard_is_named(tiny: TinyFiles, sharded: Path) -> None:
    shards = sorted(sharded.glob("model-*.safetensors"))
    shards[1].unlink()

    with pytest.raises(FileError, match=rf"{shards[1].name}: is missing, and model.safetensors.index.json names it"):
        load(tiny, sharded)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 1}', '{"weight_map": {"a": 1}}'])
def test_an_invalid_index_is_refused(text: str, tiny: TinyFiles, sharded: Path) -> None:
    (sharded / "model.safetensors.index.json").write_text(text)

    with pytest.raises(FileError, match=r"index\.json: (is not|has no|names)"):
        load(tiny, sharded)


def test_a_truncated_shard_is_named(tiny: TinyFiles, sharded: Path) -> None:
    shard = sorted(sharded.glob("model-*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-1])

    with pytest.raises(FileError, match=rf"{shard.name}: is cut short"):
        load(tiny, sharded)


def old_names(tensors: Tensors) -> Tensors:
    return tensors


@pytest.mark.parametrize(
    ("names", "prefix"), [(old_names, "language_model.model."), (new_names, "model.language_model.")]
)
def test_a_missing_tensor_is_named(names, prefix: str, tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in names(tensors_of(folder)).items() if not name.endswith(Q_PROJ)}
    other = copy_of(folder, tmp_path / "other", tensors)

    with pytest.raises(TensorError, match=rf"other/model.safetensors: missing tensor '{prefix}{Q_PROJ}' of"):
        load(tiny, other)


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model.", "", "audio_tower."])
def test_an_unexpected_tensor_is_named(prefix: str, tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    name = f"{prefix}layers.0.adapter.weight"
    other = copy_of(folder, tmp_path / "other", tensors_of(folder) | {name: torch.zeros(2)})

    with pytest.raises(TensorError, match=rf"other/model.safetensors: unexpected tensor '{name}'"):
        load(tiny, other)


def test_a_tensor_of_the_wrong_shape_is_named(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    name = f"language_model.model.{Q_PROJ}"
    other = copy_of(folder, tmp_path / "other", tensors_of(folder) | {name: torch.zeros(64, 63)})

    with pytest.raises(TensorError, match=rf"'{name}' has shape \[64, 63\], Gemma3TextModel needs \[64, 64\]"):
        load(tiny, other)


def test_an_fp8_tensor_without_its_scale_is_named(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    tensors = comfy_fp8(tensors_of(folder))
    del tensors[f"model.{Q_PROJ}_scale"]
    save_file(tensors, tmp_path / "fp8.safetensors")

    with pytest.raises(UnsupportedError, match=rf"'model\.{Q_PROJ}' is FP8 and has no scale, unlike 20 others"):
        load(tiny, tmp_path / "fp8.safetensors")


def test_a_truncated_single_file_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fp8.safetensors"
    save_file(comfy_fp8(tensors_of(folder)), path)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(FileError, match=r"fp8\.safetensors: is cut short"):
        load(tiny, path)


def test_a_folder_without_a_tokenizer_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    (other / "tokenizer.json").unlink()

    with pytest.raises(FileError, match=rf"has no tokenizer: put .* tokenizer\.model, into {other}$"):
        load(tiny, other)


def test_a_single_file_without_a_tokenizer_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fp8.safetensors"
    save_file(comfy_fp8(tensors_of(folder)), path)

    with pytest.raises(FileError, match=rf"{path}: has no tokenizer: put .* tokenizer\.model, into {tmp_path}$"):
        load(tiny, path)


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_an_invalid_tokenizer_in_a_single_file_is_refused(
    content: bytes, tiny: TinyFiles, folder: Path, tmp_path: Path
) -> None:
    spiece = torch.tensor(list(content), dtype=torch.uint8)
    save_file(comfy_fp8(tensors_of(folder), spiece_model=spiece), tmp_path / "fp8.safetensors")

    with pytest.raises(UnsupportedError, match=r"fp8\.safetensors: its tokenizer is not a sentencepiece model"):
        load(tiny, tmp_path / "fp8.safetensors")


def test_a_tokenizer_without_bos_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text()) | {"post_processor": None}
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))

    with pytest.raises(
        UnsupportedError, match=r"its tokenizer is not Gemma 3's: an empty prompt is \[\], not \[2\] \(<bos>\)"
    ):
        load(tiny, other)


def test_an_invalid_tokenizer_json_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    (other / TOKENIZER_FILES[0]).write_text("{")

    with pytest.raises(WeightsError, match="other: its tokenizer cannot be loaded"):
        load(tiny, other)


def test_an_invalid_header_is_refused(tiny: TinyFiles, folder: Path, tmp_path: Path) -> None:
    other = copy_of(folder, tmp_path / "other")
    (other / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"[]")

    with pytest.raises(FileError, match=r"model\.safetensors: is not a safetensors file"):
        load(tiny, other)
