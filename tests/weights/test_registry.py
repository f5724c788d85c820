"""The table of published weights: complete, consistent, and accepted by `ltx23 serve`."""

import re
import shlex
from pathlib import Path

import pytest

from server.cli import build_parser
from server.commands.weights import serve_command
from weights.errors import UnknownSetError
from weights.licenses import GEMMA_TERMS, LTX_COMMUNITY, VIDEO_LICENSES
from weights.registry import GEMMA, REGISTRY, UPSCALER, Part, PublishedFile, Role, WeightSet, licenses_of
from weights.store import Store

PARTS = {part.name: part for weight_set in REGISTRY.sets for part in weight_set.parts} | {
    part.name: part for part in REGISTRY.text_encoders.values()
}
FILES = [part.file for part in PARTS.values() if part.file is not None]


def test_the_default_is_the_hosted_endpoints_set() -> None:
    assert REGISTRY.default.name == "hosted"
    assert sum(part.size_bytes or 0 for part in REGISTRY.default.parts) == pytest.approx(54.75e9, rel=1e-3)


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.path).name)
def test_every_file_has_its_size_and_hash(file: PublishedFile) -> None:
    assert file.size_bytes > 0
    assert re.fullmatch("[0-9a-f]{64}", file.sha256 or "")
    assert not Path(file.path).is_absolute()
    assert file.path.endswith(".safetensors")


def test_no_two_files_share_a_hash() -> None:
    assert len({file.sha256 for file in FILES}) == len(FILES)


def test_no_repository_is_both_a_folder_and_a_source_of_files() -> None:
    """Otherwise its record could not tell whether all files of the folder are listed."""
    repos = {(part.repo, part.file is None) for part in PARTS.values()}

    assert len({repo for repo, _ in repos}) == len(repos)


@pytest.mark.parametrize("weight_set", REGISTRY.sets, ids=lambda weight_set: weight_set.name)
def test_every_set_has_each_part_that_a_server_needs_once(weight_set: WeightSet) -> None:
    parts = {part.role: part for part in weight_set.parts}

    assert len(parts) == len(weight_set.parts)
    assert parts[Role.UPSCALER] is UPSCALER
    if parts[Role.CHECKPOINT].file is None:
        assert "text_encoder" in parts[Role.CHECKPOINT].subfolders
        assert "tokenizer" in parts[Role.CHECKPOINT].subfolders
    else:
        assert parts[Role.TEXT_ENCODER] is GEMMA


@pytest.mark.parametrize("part", PARTS.values(), ids=lambda part: part.name)
def test_every_part_has_its_licences(part: Part) -> None:
    holds_gemma = part.role == Role.TEXT_ENCODER or "text_encoder" in part.subfolders

    assert (GEMMA_TERMS in part.licenses) == holds_gemma
    assert (LTX_COMMUNITY in part.licenses) == (part.role != Role.TEXT_ENCODER)


@pytest.mark.parametrize("weight_set", REGISTRY.sets, ids=lambda weight_set: weight_set.name)
def test_every_set_has_the_licences_that_models_lists(weight_set: WeightSet) -> None:
    assert licenses_of(weight_set.parts) == list(VIDEO_LICENSES)


@pytest.mark.parametrize("encoder", [None, *REGISTRY.text_encoders])
@pytest.mark.parametrize("weight_set", REGISTRY.sets, ids=lambda weight_set: weight_set.name)
def test_serve_accepts_the_command_that_is_printed(weight_set: WeightSet, encoder: str | None) -> None:
    words = shlex.split(serve_command(weight_set, Store(Path("/mnt/my weights")), encoder))

    options = vars(build_parser().parse_args(words[1:]))
    assert options["checkpoint"] == weight_set.name
    assert options["text_encoder"] == encoder
    assert options["weights_dir"] == "/mnt/my weights"


@pytest.mark.parametrize("name", REGISTRY.text_encoders)
def test_any_text_encoder_can_replace_that_of_a_set(name: str) -> None:
    weight_set = REGISTRY.find("bf16", name)

    assert [part.name for part in weight_set.parts if part.role == Role.TEXT_ENCODER] == [
        REGISTRY.text_encoders[name].name
    ]


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownSetError, match="no weight set 'int4'; there are hosted, bf16, fp8, diffusers"):
        REGISTRY.find("int4")
    with pytest.raises(UnknownSetError, match="no text encoder 't5'; there are gemma, gemma-bnb-4bit, gemma-fp8"):
        REGISTRY.find("fp8", "t5")


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        ("model-00001-of-00005.safetensors", True),
        ("tokenizer.model", True),
        ("chat_template.jinja", True),
        ("README.md", False),
        ("pytorch_model.bin", False),
        ("original/config.json", False),
        ("../../config.json", False),
    ],
)
def test_a_folder_includes_only_the_files_that_its_loader_reads(path: str, is_taken: bool) -> None:
    assert Part(Role.TEXT_ENCODER, "maker/words").takes(path) is is_taken


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        ("model_index.json", True),
        ("transformer/diffusion_pytorch_model-00001-of-00008.safetensors", True),
        ("transformer/diffusion_pytorch_model.safetensors.index.json", True),
        ("tokenizer/tokenizer.model", True),
        ("vae/README.md", False),
        ("vae/old/config.json", False),
        ("assets/clip.json", False),
        ("transformer/../../config.json", False),
    ],
)
def test_a_folder_includes_its_listed_subfolders(path: str, is_taken: bool) -> None:
    checkpoint = next(part for part in REGISTRY.find("diffusers").parts if part.role == Role.CHECKPOINT)

    assert checkpoint.takes(path) is is_taken


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_every_repository_is_pinned_to_a_commit(part: Part) -> None:
    assert re.fullmatch("[0-9a-f]{40}", part.revision)


def test_the_size_of_the_diffusers_set_is_known() -> None:
    assert REGISTRY.find("diffusers").parts[0].size_bytes == 94_977_700_554
