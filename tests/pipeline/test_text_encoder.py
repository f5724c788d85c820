"""The text encoder from Hugging Face folders: every naming of one model gives the same hidden states, bit for bit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Gemma3ForConditionalGeneration

from pipelines.ltx.text_encoder import TextWidth, load_text_encoder, open_text_encoder
from tests.pipeline.gemma import (
    CPU,
    Tensors,
    copy_of,
    expected_states,
    hidden_states,
    new_names,
    tensors_of,
    write_gemma,
)
from weights.tiny import byte_tokenizer

EMBEDDING = "language_model.model.embed_tokens.weight"

SPELLINGS: dict[str, Callable[[Tensors], Tensors]] = {
    "old names": dict,
    "old names, with a head": lambda found: found | {"language_model.lm_head.weight": found[EMBEDDING].clone()},
    "new names, with a head": new_names,
    "float32": lambda found: {name: tensor.float() for name, tensor in found.items()},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma(tmp_path_factory.mktemp("gemma") / "plain")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[torch.dtype, torch.Tensor]:
    return {dtype: expected_states(folder, dtype) for dtype in (torch.float32, torch.bfloat16)}


def states(folder: Path, dtype: torch.dtype) -> torch.Tensor:
    source = open_text_encoder(folder)
    return hidden_states(load_text_encoder(source, CPU, dtype), source.tokenizer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_naming_gives_the_states_of_transformers(
    spelling: str, dtype: torch.dtype, folder: Path, expected: dict[torch.dtype, torch.Tensor], tmp_path: Path
) -> None:
    spelt = copy_of(folder, tmp_path / "spelt", SPELLINGS[spelling](tensors_of(folder)))

    found = states(spelt, dtype)

    assert found.dtype == dtype
    assert torch.equal(found, expected[dtype])


def test_float16_files_are_computed_in_the_models_dtype(folder: Path, tmp_path: Path) -> None:
    half = copy_of(folder, tmp_path / "half", {name: tensor.half() for name, tensor in tensors_of(folder).items()})

    assert torch.equal(states(half, torch.float32), expected_states(half, torch.float32))


def test_shards_give_the_same_model(folder: Path, expected: dict[torch.dtype, torch.Tensor], tmp_path: Path) -> None:
    model = Gemma3ForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    byte_tokenizer().save_pretrained(tmp_path)

    assert len(list(tmp_path.glob("model-*.safetensors"))) > 3
    assert torch.equal(states(tmp_path, torch.float32), expected[torch.float32])


def test_only_the_text_model_is_loaded_and_its_bytes_are_reported(folder: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    source = open_text_encoder(folder)
    model = load_text_encoder(source, CPU, torch.bfloat16, lambda *report: reports.append(report))

    stored = load_file(folder / "model.safetensors")
    text = {name: tensor for name, tensor in stored.items() if name.startswith("language_model.model.")}
    size_bytes = sum(tensor.nbytes for tensor in text.values())
    assert source.width == TextWidth(hidden_size=64, num_layers=6)
    assert sum(parameter.nbytes for parameter in model.parameters()) == size_bytes
    assert [name for name, _, _ in reports] == ["text_encoder"] * len(text)
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)
    assert reports[-1][1:] == (size_bytes, size_bytes)
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(("prompt", "length"), [("", 1), ("ab", 3), ("x" * 1023, 1024), ("x" * 3000, 1024)])
def test_prompts_begin_with_bos_and_are_padded_on_the_left(prompt: str, length: int, folder: Path) -> None:
    ids, mask = open_text_encoder(folder).tokenizer(prompt)

    assert ids.shape == mask.shape == (1, 1024)
    assert mask.sum() == length
    assert mask[0, 1024 - length :].all()
    assert ids[0, 1024 - length] == 2
    assert not ids[0, : 1024 - length].any()
    assert 1 not in ids
