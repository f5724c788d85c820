"""The choice of a worker's device on a machine whose NVIDIA GPU torch cannot use."""

from pathlib import Path

import pytest
import torch

from server.cli import main
from server.worker.device import (
    DeviceError,
    describe_refusal,
    has_card,
    is_hidden,
    memory_fraction,
    resolve_device,
    unusable_card,
)
from server.worker.messages import WorkerConfig
from server.worker.model import load_model
from weights.tiny import TinyFiles

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use the card of this machine")

TOO_OLD = "The NVIDIA driver on your system is too old (found version 12080)."


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program nvidia-smi that lists a GPU first in PATH."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-0)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def real(tiny: TinyFiles, device: str = "auto") -> WorkerConfig:
    """Return a configuration with a checkpoint, which counts as real weights."""
    return WorkerConfig(Path(), None, tiny.checkpoint, tiny.upsampler, tiny.text_encoder, device=device)


@pytest.mark.usefixtures("card")
def test_real_weights_are_not_loaded_on_the_cpu_if_there_is_a_gpu(tiny: TinyFiles) -> None:
    read: list[str] = []
    with pytest.raises(DeviceError) as refused:
        load_model(real(tiny), lambda component, done, total: read.append(component))

    assert str(refused.value).startswith("this machine has an NVIDIA card, but torch cannot use it: ")
    assert str(refused.value).endswith("or run on the CPU with --device cpu")
    assert read == []


@pytest.mark.usefixtures("card")
def test_the_cpu_can_be_requested(tiny: TinyFiles) -> None:
    assert load_model(real(tiny, device="cpu"), lambda *_: None).info.warnings == ()


@pytest.mark.usefixtures("card")
def test_weights_are_loaded_on_the_cpu_if_the_gpu_is_hidden(tiny: TinyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert load_model(real(tiny), lambda *_: None).info.device == "cpu"


@pytest.mark.usefixtures("card", "tiny")
def test_the_tiny_model_runs_with_a_warning(cache_dir: Path) -> None:
    info = load_model(WorkerConfig(cache_dir), lambda *_: None).info

    assert info.device == "cpu"
    assert info.warnings == (unusable_card(),)


@pytest.mark.usefixtures("card")
def test_a_plan_without_a_size_says_why_the_gpu_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "plan"]) == 1
    assert "this machine has an NVIDIA card, but torch cannot use it: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cuda_version", "remedy"),
    [
        ("13.0", "install NVIDIA's driver R580 or newer, or run on the CPU with --device cpu"),
        ("12.8", "install NVIDIA's driver R525 or newer, or run on the CPU with --device cpu"),
        ("14.1", "install NVIDIA's driver for CUDA 14.1 or newer, or run on the CPU with --device cpu"),
        (None, "install a build of torch with CUDA, or run on the CPU with --device cpu"),
    ],
)
def test_the_message_has_torchs_reason_and_a_remedy(cuda_version: str | None, remedy: str) -> None:
    message = describe_refusal(TOO_OLD, cuda_version)

    assert message == f"this machine has an NVIDIA card, but torch cannot use it: {TOO_OLD}; {remedy}"


@pytest.mark.parametrize("name", ["dev/nvidia0", "proc/driver/nvidia/gpus/0000:01:00.0/information"])
def test_a_gpu_is_recognised_by_the_drivers_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_card(tmp_path)

    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()

    assert has_card(tmp_path)


def test_the_drivers_control_file_does_not_count_as_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()

    assert not has_card(tmp_path)


@pytest.mark.parametrize(("value", "hidden"), [(None, False), ("0,1", False), ("", True), ("-1", True)])
def test_cuda_visible_devices_can_hide_gpus(value: str | None, hidden: bool) -> None:
    assert is_hidden(value) is hidden


def test_a_named_gpu_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"^device 'cuda:3' is not there: torch sees 0 CUDA devices$"):
        resolve_device("cuda:3")


def test_the_memory_limit_is_a_fraction_of_the_gpus_memory() -> None:
    assert memory_fraction(24 * 10**9, 96 * 10**9) == 0.25
    assert memory_fraction(100 * 10**9, 96 * 10**9) == 1.0
