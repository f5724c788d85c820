"""The choice of the encoder on a machine without NVENC. tests/gpu has the other case."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.media.codecs import X264, nvenc
from pipelines.media.trial import encoding_problem
from server.worker.encoder import EncoderError, resolve_h264
from server.worker.messages import WorkerConfig
from server.worker.model import load_model
from tests.conftest import RunCommand

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine may have NVENC")

CPU = torch.device("cpu")
REFUSED = "LTX23_ENCODER / --encoder nvenc: NVENC does not encode H.264 here: Cannot load libcuda.so.1; use x264"


@pytest.mark.parametrize("name", ["auto", "x264"])
def test_x264_is_the_default(name: str) -> None:
    assert resolve_h264(name, CPU) is X264


def test_the_trial_names_the_encoders_own_reason() -> None:
    assert encoding_problem(X264) is None
    for _ in range(2):
        assert encoding_problem(nvenc(0)) == "Cannot load libcuda.so.1"
    unknown = replace(X264, options={**X264.options, "preset": "slowest"})
    assert "slowest" in str(encoding_problem(unknown))


def test_nvenc_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(EncoderError) as refused:
        load_model(
            WorkerConfig(tmp_path / "missing", encoder="nvenc", device="cpu"), lambda *_: pytest.fail("it loads")
        )

    assert str(refused.value).startswith(REFUSED)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_why(run_command: RunCommand, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    done = run_command("generate", "--prompt", "a fox", "--device", "cpu", "--encoder", "nvenc", "-o", str(clip))

    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {REFUSED}")
    assert not clip.exists()
