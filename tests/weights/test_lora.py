"""LoRA files: every layout is read, and what does not fit the model is an error that names the tensor."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from tests.lora_layouts import LAYOUTS, Tensors, peft_metadata
from weights.errors import WeightsError
from weights.header import read_header
from weights.lora import LoraReader
from weights.regular_file import FileVersion

DATA = Path(__file__).parents[1] / "parity" / "data" / "directions"
LAYER = "diffusion_model.transformer_blocks.0.attn1.to_q"
DOWN, UP = f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"


@pytest.fixture(scope="session")
def tensors() -> Tensors:
    return load_file(DATA / "lora-a.safetensors")


@pytest.fixture(scope="session")
def reader(tensors: Tensors) -> LoraReader:
    """Return a reader for a model with the layers of the file, and one in its connectors."""
    layers = {name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")}
    linears = {
        layer.removeprefix("diffusion_model."): (
            len(tensors[f"{layer}.lora_B.weight"]), tensors[f"{layer}.lora_A.weight"].shape[1]
        )
        for layer in layers
    }  # fmt: skip
    block = "connectors.video_connector.transformer_blocks.0"
    return LoraReader(linears | {f"{block}.attn1.to_q": (48, 48), "connectors.video_text_proj_in": (48, 224)})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_file(tensors: Tensors, name: str = "lora.safetensors", **metadata: str) -> Path:
        save_file(
            {key: tensor.contiguous() for key, tensor in tensors.items()}, tmp_path / name, {"format": "pt"} | metadata
        )
        return tmp_path / name

    return write_file


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_names_the_same_layers(layout: str, tensors: Tensors, reader: LoraReader, write) -> None:
    published = reader.read(read_header(DATA / "lora-a.safetensors"))

    lora = reader.read(read_header(write(LAYOUTS[layout](tensors))))

    assert lora.layers.keys() == published.layers.keys()
    assert len(lora.layers) == 34 * 3
    assert lora.rank == (8 if layout == "several ranks" else 4)
    assert ("alpha" in layout or "kohya" in layout) == all(layer.alpha for layer in lora.layers.values())


@pytest.mark.parametrize(
    "layer",
    [
        "diffusion_model.connectors.video_connector.transformer_blocks.0.attn1.to_q",
        "connectors.video_connector.transformer_blocks.0.attn1.to_q",
        "diffusion_model.video_embeddings_connector.transformer_1d_blocks.0.attn1.to_q",
        "text_embedding_projection.video_aggregate_embed",
    ],
)
def test_layers_of_the_connectors_are_read(layer: str, tensors: Tensors, reader: LoraReader, write) -> None:
    inputs = 224 if "aggregate" in layer else 48
    more = {f"{layer}.lora_A.weight": torch.ones(2, inputs), f"{layer}.lora_B.weight": torch.ones(48, 2)}

    lora = reader.read(read_header(write(tensors | more)))

    assert lora.changes_connectors
    assert len(lora.layers) == 34 * 3 + 1


FAULTS: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "unknown layer": (
        lambda t: t | {"diffusion_model.transformer_blocks.9.attn1.to_q.lora_A.weight": torch.ones(4, 48)},
        "'diffusion_model.transformer_blocks.9.attn1.to_q.lora_A.weight' belongs to no layer of this model",
    ),
    "another model": (
        lambda t: t | {DOWN: torch.ones(4, 64)},
        rf"is a LoRA of another model: '{DOWN}' has shape \[4, 64\], this model needs \[4, 48\]",
    ),
    "another model's outputs": (
        lambda t: t | {UP: torch.ones(64, 4)},
        rf"is a LoRA of another model: '{UP}' has shape \[64, 4\], this model needs \[48, 4\]",
    ),
    "ranks that differ": (lambda t: t | {UP: torch.ones(48, 5)}, rf"'{UP}' has shape \[48, 5\]"),
    "down without up": (lambda t: {k: v for k, v in t.items() if k != UP}, f"'{DOWN}' is there without its lora_B"),
    "up without down": (lambda t: {k: v for k, v in t.items() if k != DOWN}, f"'{UP}' is there without its lora_A"),
    "rank 0": (lambda t: t | {DOWN: torch.ones(0, 48), UP: torch.ones(48, 0)}, f"'{DOWN}' has rank 0"),
    "a convolution": (
        lambda t: t | {DOWN: torch.ones(4, 48, 1, 1)}, rf"'{DOWN}' has shape \[4, 48, 1, 1\].*two dimensions"
    ),
    "alpha alone": (
        lambda t: {f"{LAYER}.alpha": torch.tensor(4.0)}, f"'{LAYER}.alpha' is there without its lora_A"
    ),
    "alpha of a layer": (
        lambda t: t | {f"{LAYER}.alpha": torch.ones(2)}, f"'{LAYER}.alpha' should be one number"
    ),
    "one layer twice": (
        lambda t: t | {DOWN.replace("diffusion_model", "transformer"): t[DOWN].clone()}, "are for the same layer"
    ),
    "DoRA": (lambda t: t | {f"{LAYER}.dora_scale": torch.ones(48)}, f"is DoRA, .*'{LAYER}.dora_scale'"),
    "LoKr": (lambda t: {f"{LAYER}.lokr_w1": torch.ones(4)}, f"is LoKr, .*'{LAYER}.lokr_w1'"),
    "LoHa": (lambda t: {f"{LAYER}.hada_w1_a": torch.ones(4)}, f"is LoHa, .*'{LAYER}.hada_w1_a'"),
    "diff": (lambda t: t | {f"{LAYER}.diff": torch.ones(48, 48)}, f"whole weights, .*'{LAYER}.diff'"),
    "diff_b": (lambda t: t | {f"{LAYER}.diff_b": torch.ones(48)}, f"whole weights, .*'{LAYER}.diff_b'"),
    "biases": (lambda t: t | {f"{LAYER}.lora_B.bias": torch.ones(48)}, f"with biases, .*'{LAYER}.lora_B.bias'"),
    "another tensor": (
        lambda t: t | {"step": torch.ones(1)}, "'step' is no tensor of a LoRA: its name ends in none of lora_A"
    ),
    "integers": (lambda t: t | {DOWN: torch.ones(4, 48, dtype=torch.int8)}, f"'{DOWN}' is I8; a LoRA in F32"),
    "no tensors": (lambda t: {}, "holds no tensors"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_an_error_that_names_the_tensor(
    fault: str, tensors: Tensors, reader: LoraReader, write
) -> None:
    change, message = FAULTS[fault]
    path = write(change(tensors))

    with pytest.raises(WeightsError, match=f"{re.escape(str(path))}: .*{message}"):
        reader.read(read_header(path))


def test_a_lora_that_needs_a_reference_video_is_refused(tensors: Tensors, reader: LoraReader, write) -> None:
    path = write(tensors, reference_downscale_factor="2")

    with pytest.raises(WeightsError, match=r"is an IC-LoRA .*'reference_downscale_factor'.* reference video"):
        reader.read(read_header(path))


def test_the_distilled_lora_is_refused_by_its_name_and_by_its_rank(tensors: Tensors, reader: LoraReader, write) -> None:
    named = write(tensors, "ltx-2.3-22b-distilled-lora-384-1.1.safetensors")
    wide = write({
        key: torch.zeros(384, t.shape[1]) if key.endswith("lora_A.weight") else torch.zeros(len(t), 384)
        for key, t in tensors.items()
    })  # fmt: skip

    for path in (named, wide):
        with pytest.raises(WeightsError, match=r"is the distilled LoRA, .* distilled one already"):
            reader.read(read_header(path))


def test_the_scale_in_the_metadata_of_diffusers_is_read(tensors: Tensors, reader: LoraReader, write) -> None:
    lora = reader.read(read_header(write(tensors, **peft_metadata(r=4, lora_alpha=8))))
    stabilised = reader.read(read_header(write(tensors, **peft_metadata(lora_alpha=8, use_rslora=True))))

    assert lora.peft_scale is not None
    assert lora.peft_scale.of(4) == 2
    assert stabilised.peft_scale is not None
    assert stabilised.peft_scale.of(4) == 4


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (peft_metadata(lora_alpha=8, alpha_pattern={"to_q": 4}), "alpha_pattern"),
        (peft_metadata(lora_alpha=[]), "'lora_adapter_metadata' is not the JSON that PEFT writes"),
        ({"lora_adapter_metadata": "{"}, "'lora_adapter_metadata' is not the JSON that PEFT writes"),
        ({"lora_adapter_metadata": "[1]"}, "'lora_adapter_metadata' is not the JSON that PEFT writes"),
    ],
)
def test_metadata_that_cannot_be_honoured_is_an_error(
    metadata: dict[str, str], message: str, tensors: Tensors, reader: LoraReader, write
) -> None:
    with pytest.raises(WeightsError, match=message):
        reader.read(read_header(write(tensors, **metadata)))


def test_a_truncated_file_is_an_error(tensors: Tensors, write) -> None:
    path = write(tensors)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(WeightsError, match="is cut short"):
        read_header(path)


def test_a_pickle_is_refused_and_never_loaded(tmp_path: Path) -> None:
    torch.save({DOWN: torch.ones(4, 48)}, tmp_path / "lora.safetensors")

    with pytest.raises(WeightsError, match="a pickle, which can run any code and is not read"):
        read_header(tmp_path / "lora.safetensors")


def test_a_file_with_a_name_of_any_length_is_an_error(tmp_path: Path, reader: LoraReader) -> None:
    path, name = tmp_path / "lora.safetensors", "x" * 100_000
    path.write_bytes(save({f"{name}.lora_A.weight": torch.ones(4, 48)}))

    with pytest.raises(WeightsError, match=r"belongs to no layer") as caught:
        reader.read(read_header(path))
    assert len(str(caught.value)) < 1000


def test_a_rank_that_no_file_has_takes_no_memory(tmp_path: Path, reader: LoraReader) -> None:
    """A header may announce anything; the file has to have the bytes."""
    path, rank = tmp_path / "lora.safetensors", 2**40
    entries = {DOWN: {"dtype": "F32", "shape": [rank, 48], "data_offsets": [0, 4 * rank * 48]}}
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)

    with pytest.raises(WeightsError, match="is cut short"):
        read_header(path)


def test_a_file_that_changes_has_another_version(tensors: Tensors, write) -> None:
    path = write(tensors)
    before = FileVersion.of(path)

    path.write_bytes(path.read_bytes() + b" ")

    assert FileVersion.of(path) != before
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        FileVersion.of(path.with_name("gone"))
