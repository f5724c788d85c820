"""The text encoder as ComfyUI stores it: one file in scaled FP8, with its tokenizer in it or next to it."""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from sentencepiece import SentencePieceProcessor
from transformers import GemmaTokenizer
from transformers.tokenization_utils_base import generate_merges

from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.text_encoder import load_text_encoder, open_text_encoder
from tests.pipeline.gemma import (
    CPU,
    TOKENIZER_FILES,
    Tensors,
    comfy_fp8,
    expected_states,
    hidden_states,
    single_file_names,
    tensors_of,
    train_sentencepiece,
    write_gemma,
)
from weights.tiny import TinyFiles

# Rounding to nearest in E4M3: a relative error of half of 2^-3; below 2^-6, half of 2^-9 of the scale.
RELATIVE, ABSOLUTE = 2**-4, 2**-10

ROOT = Path(__file__).parents[2]
PROMPTS = [
    "",
    "a red fox runs through deep snow",
    "Zwölf Boxkämpfer — 1984!",
    "one\ntwo\n\nthree",
    "two  blanks",
    "🦊 狐",
]


@dataclass(frozen=True)
class Spiece:
    model: bytes
    vocab_size: int

    @property
    def tensor(self) -> torch.Tensor:
        return torch.frombuffer(bytearray(self.model), dtype=torch.uint8)


@pytest.fixture(scope="module")
def spiece() -> Spiece:
    model = train_sentencepiece((ROOT / "README.md").read_text().splitlines(), vocab_size=600)
    return Spiece(model, SentencePieceProcessor(model_proto=model).get_piece_size())


@pytest.fixture(scope="module")
def folder(spiece: Spiece, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma(tmp_path_factory.mktemp("gemma") / "plain", vocab_size=spiece.vocab_size)


def write_file(path: Path, tensors: Tensors) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    return path


def with_tokenizer_of(folder: Path, path: Path) -> Path:
    for name in TOKENIZER_FILES:
        (path.parent / name).write_bytes((folder / name).read_bytes())
    return path


def states(path: Path, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    source = open_text_encoder(path)
    return hidden_states(load_text_encoder(source, CPU, dtype), source.tokenizer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_alone_give_the_same_model_as_a_config(dtype: torch.dtype, folder: Path, tmp_path: Path) -> None:
    path = write_file(tmp_path / "gemma.safetensors", single_file_names(tensors_of(folder)))

    assert torch.equal(states(with_tokenizer_of(folder, path), dtype), expected_states(folder, dtype))


def test_every_fp8_weight_equals_the_original_within_rounding(folder: Path, spiece: Spiece, tmp_path: Path) -> None:
    plain = single_file_names(tensors_of(folder))
    path = write_file(tmp_path / "fp8.safetensors", comfy_fp8(tensors_of(folder), spiece_model=spiece.tensor))

    model = load_text_encoder(open_text_encoder(path), CPU, torch.float32)

    for name, found in model.named_parameters():
        exact = plain[f"model.{name}"].float()
        scale = float(exact.abs().max()) / 448
        is_matrix = name.startswith("layers.") and exact.dim() == 2
        bound = RELATIVE * exact.abs() + ABSOLUTE * scale if is_matrix else torch.zeros_like(exact)
        assert found.dtype == torch.float32
        assert ((found - exact).abs() <= 1.01 * bound).all(), name
        assert torch.equal(found, exact) is not is_matrix, name


def old_spelling(tensors: Tensors) -> Tensors:
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith((".comfy_quant", ".weight_scale"))}
    scales = {name: tensor for name, tensor in tensors.items() if name.endswith(".weight_scale")}
    renamed = {name.replace(".weight_scale", ".scale_weight"): tensor.reshape(1) for name, tensor in scales.items()}
    return kept | renamed | {"scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)}


def with_input_scales(tensors: Tensors) -> Tensors:
    layers = [name.removesuffix(".weight_scale") for name in tensors if name.endswith(".weight_scale")]
    return tensors | {f"{layer}.input_scale": torch.tensor(0.5) for layer in layers}


def with_fp8_vision(tensors: Tensors) -> Tensors:
    """Add FP8 vision weights: tensors that are not needed may be quantised in any way."""
    name = next(name for name in tensors if name.startswith("vision_model.") and tensors[name].dim() == 2)
    return tensors | {name: tensors[name].to(torch.float8_e4m3fn)}


@pytest.mark.parametrize("spelling", [old_spelling, with_input_scales, with_fp8_vision])
def test_name_variants_of_fp8_give_the_same_model(spelling, folder: Path, spiece: Spiece, tmp_path: Path) -> None:
    tensors = comfy_fp8(tensors_of(folder), spiece_model=spiece.tensor)
    path = write_file(tmp_path / "fp8.safetensors", tensors)
    spelt = write_file(tmp_path / "spelt.safetensors", spelling(tensors))

    assert torch.equal(states(spelt), states(path))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("place", ["inside", "beside"])
def test_a_sentencepiece_model_gives_the_ids_of_the_hugging_face_tokenizer(
    place: str, prompt: str, folder: Path, spiece: Spiece, tmp_path: Path
) -> None:
    extra = {"spiece_model": spiece.tensor} if place == "inside" else {}
    path = write_file(tmp_path / "fp8.safetensors", comfy_fp8(tensors_of(folder), **extra))
    if place == "beside":
        (tmp_path / "tokenizer.model").write_bytes(spiece.model)
    processor = SentencePieceProcessor(model_proto=spiece.model)
    vocab = {processor.id_to_piece(i): i for i in range(spiece.vocab_size)}
    reference = GemmaTokenizer(vocab=vocab, merges=generate_merges(vocab), extra_special_tokens=["\n", "\n\n"])

    ids, mask = open_text_encoder(path).tokenizer(prompt)

    length = int(mask.sum())
    expected = reference(prompt, add_special_tokens=False).input_ids
    assert ids[0, 1024 - length :].tolist() == [2, *expected]
    assert not ids[0, : 1024 - length].any()


def test_a_sentencepiece_model_reports_the_part_that_it_cuts(folder: Path, spiece: Spiece, tmp_path: Path) -> None:
    path = write_file(tmp_path / "fp8.safetensors", comfy_fp8(tensors_of(folder), spiece_model=spiece.tensor))
    tokenizer = open_text_encoder(path).tokenizer
    fits = "a red fox runs through deep snow, " * 20
    words = fits * 50 + "and \u72d0 is gone"

    cut = tokenizer.find_cut(words)

    assert tokenizer.find_cut(fits) is None
    assert cut is not None
    assert cut.tokens == len(tokenizer.encode(words))
    assert cut.dropped.endswith("snow, and \u72d0 is gone")


def test_a_tokenizer_in_the_file_wins_over_one_next_to_it(folder: Path, spiece: Spiece, tmp_path: Path) -> None:
    tensors = comfy_fp8(tensors_of(folder))
    beside = with_tokenizer_of(folder, write_file(tmp_path / "a" / "beside.safetensors", tensors))
    both = write_file(tmp_path / "a" / "both.safetensors", tensors | {"spiece_model": spiece.tensor})
    inside = write_file(tmp_path / "b" / "inside.safetensors", tensors | {"spiece_model": spiece.tensor})

    found = open_text_encoder(both).tokenizer("a red fox")[0]
    assert torch.equal(found, open_text_encoder(inside).tokenizer("a red fox")[0])
    assert not torch.equal(found, open_text_encoder(beside).tokenizer("a red fox")[0])


def test_a_clips_prompt_is_encoded_by_a_single_file(random_tiny: TinyFiles, spiece: Spiece, tmp_path: Path) -> None:
    """The encoder has three layers of width 64, as the tiny checkpoint needs."""
    folder = write_gemma(tmp_path / "folder", num_hidden_layers=3, vocab_size=spiece.vocab_size)
    tensors = comfy_fp8(tensors_of(folder), spiece_model=spiece.tensor)
    path = write_file(tmp_path / "gemma" / "fp8.safetensors", tensors)
    exact = write_file(
        tmp_path / "gemma" / "bf16.safetensors", single_file_names(tensors_of(folder)) | {"spiece_model": spiece.tensor}
    )

    def context(file: Path) -> torch.Tensor:
        components = load_components(
            WeightFiles(random_tiny.checkpoint, file, random_tiny.upsampler), CPU, torch.float32
        )
        with torch.inference_mode():
            return components.encode_prompt("a red fox runs through deep snow, " * 60).video

    found, expected = context(path), context(exact)
    # Root mean square of the rounding, over three layers of five consecutive matrix products.
    error = (found - expected).norm() / expected.norm()
    print(f"{error:.1e}")
    assert 0 < error < sqrt(15) * RELATIVE / sqrt(3)
