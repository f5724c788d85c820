"""`ltx23 weights plan`: sizes as loaded, published sizes if no files are there, and the verdict."""

import re
from pathlib import Path

import pytest
import torch

from pipelines.ltx.components import load_components
from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.plan import PlannedFiles, shape_models
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.memory import ComponentSize
from server.cli import main
from weights.errors import UnsupportedError
from weights.registry import REGISTRY, Role
from weights.tiny import TinyFiles

FULL = PlannedFiles(checkpoint=None)
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU's memory would be used")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LTX23_WEIGHTS_DIR", str(tmp_path / "weights"))


def options(tiny: TinyFiles) -> list[str]:
    files = ["--checkpoint", str(tiny.checkpoint), "--text-encoder", str(tiny.text_encoder)]
    return [*files, "--upscaler", str(tiny.upsampler)]


def plan(*args: str) -> int:
    return main(["weights", "plan", *args])


def sizes(files: PlannedFiles, fp8: Fp8Mode = Fp8Mode.SCALED) -> dict[str, ComponentSize]:
    return shape_models(files, torch.bfloat16, fp8, TextQuantization.NONE).sizes()


def test_planned_sizes_equal_loaded_sizes(tiny: TinyFiles) -> None:
    planned = PlannedFiles(tiny.checkpoint, (), tiny.upsampler, tiny.text_encoder)
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    found = load_components(files, torch.device("cpu"), torch.bfloat16, fp8=Fp8Mode.SCALED).plan

    models = shape_models(planned, torch.bfloat16, Fp8Mode.SCALED, TextQuantization.NONE)

    assert {name: size.size_bytes for name, size in models.sizes().items()} == {
        name: size.size_bytes for name, size in found.components.items()
    }
    assert models.widths() == found.widths


@pytest.mark.parametrize(
    ("fp8", "name"), [(Fp8Mode.DEQUANTIZE, "bf16"), (Fp8Mode.SCALED, "fp8")], ids=["dequantize", "scaled"]
)
def test_without_files_the_published_sizes_are_planned(fp8: Fp8Mode, name: str) -> None:
    """The tolerances are for headers, some float32 tensors, the float32 vocoder, and the text encoder.

    The size of the text encoder is known only approximately.
    """
    published = {part.role: part.size_bytes for part in REGISTRY.find(name).parts}
    found = {component: size.size_bytes for component, size in sizes(FULL, fp8).items()}

    assert found.pop("text_encoder") == pytest.approx(published[Role.TEXT_ENCODER], rel=0.05)
    assert found.pop("upsampler") == pytest.approx(published[Role.UPSCALER], rel=1e-3)
    assert sum(found.values()) == pytest.approx(published[Role.CHECKPOINT], rel=0.01)


def test_a_single_stage_has_no_upsampler() -> None:
    assert "upsampler" not in sizes(PlannedFiles(checkpoint=None, stages=1))


def test_a_checkpoint_of_another_width_needs_its_own_text_encoder(tiny: TinyFiles) -> None:
    with pytest.raises(UnsupportedError, match=r"needs a text encoder of 3 layers of width 64: give --text-encoder"):
        sizes(PlannedFiles(tiny.checkpoint, upsampler=tiny.upsampler))


def test_a_text_encoder_of_another_size_is_refused(tiny: TinyFiles) -> None:
    with pytest.raises(UnsupportedError, match=r"3 layers of width 64; the checkpoint needs 48 of width 3840"):
        sizes(PlannedFiles(checkpoint=None, text_encoder=tiny.text_encoder))


def test_the_default_set_can_be_planned_before_it_is_fetched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert plan("--vram", "24") == 0

    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("hosted: 24.00 GB of device memory, fp8 scaled")
    roles = "checkpoint, video_vae, audio_vae, text_projection, upscaler, text_encoder"
    assert lines[1] == f"not on the disk, and planned as published: {roles}"
    assert lines[2] == f"to fetch: ltx23 weights pull hosted --weights-dir {tmp_path / 'weights'}"
    assert re.search(r"^  text_encoder +2\d\.\d\d +device +streamed +streamed$", out, re.MULTILINE)
    assert re.search(r"^  transformer +2\d\.\d\d +device +device +streamed$", out, re.MULTILINE)
    assert re.search(r"^  on the device meanwhile +0\.00 +0\.00 +[1-9]\.\d\d$", out, re.MULTILINE)
    assert re.search(r"^  copied to it, in all +0\.00 +23\.\d\d +1\d\d\.\d\d$", out, re.MULTILINE)
    assert re.search(r"^    s, PCIe 4\.0 x16 +0\.0 +0\.9 +[4-9]\.\d$", out, re.MULTILINE)
    assert re.search(r"^  768x512 with 121 frames +\S+   no +\S+   no +\S+ fits$", out, re.MULTILINE)
    assert re.search(r"^  3840x2176 with 121 frames ", out, re.MULTILINE)
    assert lines[-1] == "--memory auto takes low: the default clip fits."
    assert max(map(len, lines[3:])) <= 80


def test_fp8_is_planned_as_a_server_would_choose_it(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    def mode(*args: str) -> str:
        plan(*options(tiny), "--vram", "1", *args)
        subject = capsys.readouterr().out.partition("\n")[0]
        return subject.partition(", fp8 ")[2].partition(" (")[0]

    assert mode() == "dequantize"
    assert mode("--speed", "compile") == "scaled"
    assert mode("--memory", "low") == "scaled"
    assert mode("--fp8", "scaled-all") == "scaled-all"


def test_a_text_encoder_in_4_bits_stays_on_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("bf16", "--text-encoder", "gemma-bnb-4bit", "--memory", "low", "--vram", "24", "--stages", "1") == 0

    out = capsys.readouterr().out
    assert re.search(r"^  text_encoder +[78]\.\d\d +device$", out, re.MULTILINE)
    assert "ltx23 weights pull bf16 --text-encoder gemma-bnb-4bit" in out
    assert "upsampler" not in out
    assert out.endswith("\n--memory low: the default clip fits.\n")


def test_existing_files_are_planned_from_their_headers(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(*options(tiny), "--vram", "1") == 0

    out = capsys.readouterr().out
    assert out.startswith(f"{tiny.checkpoint}: 1.00 GB of device memory, fp8 dequantize (a card that multiplies FP8 is")
    assert "as published" not in out
    assert out.endswith("\n--memory auto takes resident: the default clip fits.\n")


def test_a_folder_is_planned_with_its_own_parts(tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--checkpoint", str(tiny_folder), "--vram", "1", "--fp8", "dequantize") == 0

    out = capsys.readouterr().out
    assert "fp8 dequantize\n" in out
    assert "as published" not in out


@pytest.mark.parametrize(
    ("vram", "code", "told"),
    [
        ("0.8", 0, r"--memory auto takes low: the default clip does not fit, \d+x\d+ with 121 frames would\."),
        ("0.1", 1, r"--memory auto takes low: nothing fits\."),
    ],
)
def test_sizes_that_fit_are_named_if_the_default_clip_does_not(
    vram: str, code: int, told: str, tiny: TinyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(*options(tiny), "--vram", vram) == code
    assert re.fullmatch(told, capsys.readouterr().out.splitlines()[-1])


@NO_CUDA
def test_without_a_gpu_its_memory_has_to_be_given(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(*options(tiny)) == 1
    assert capsys.readouterr().err == (
        "ltx23: error: LTX23_VRAM / --vram: is needed, in GB: "
        "there is no CUDA device here whose free memory would be taken\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "there is no weight set 'none'; there are hosted, bf16, fp8, diffusers"),
        (["--checkpoint", "absent.safetensors"], "absent.safetensors: cannot be read: No such file or directory"),
        (["--checkpoint", "absent.safetensors", "--video-vae", "hosted"], "--video-vae: hosted: "),
        (["--vram", "0"], "LTX23_VRAM / --vram: "),
    ],
)
def test_an_impossible_plan_is_an_error_of_one_sentence(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("--vram", "24", *args) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ltx23: error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1
