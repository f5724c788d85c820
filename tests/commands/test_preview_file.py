"""`ltx23 generate --preview FILE`."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import RunCommand
from tests.pipeline.test_tiny_decoder import published
from weights.tiny import TinyFiles

CLIP = (
    "generate",
    "--prompt",
    "a red fox",
    "--width",
    "256",
    "--height",
    "256",
    "--num-frames",
    "17",
    "--no-audio",
    "--seed",
    "1",
)


def test_the_file_shows_the_last_step(run_command: RunCommand, tiny: TinyFiles, tmp_path: Path) -> None:
    preview = tmp_path / "preview.webp"

    done = run_command(*CLIP, "-o", str(tmp_path / "clip.mp4"), "--preview", str(preview))

    assert done.returncode == 0, done.stderr
    with Image.open(preview) as shown:
        assert (shown.format, shown.size, getattr(shown, "n_frames", 1)) == ("WEBP", (96, 96), 3)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "preview.webp"}


def test_a_small_decoder_shows_it_larger(run_command: RunCommand, tiny: TinyFiles, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in published(channels=128).items()}
    save_file(tensors, tmp_path / "tae.safetensors")
    preview = tmp_path / "preview.webp"
    options = ("-o", str(tmp_path / "clip.mp4"), "--preview", str(preview))

    done = run_command(*CLIP, *options, "--preview-vae", str(tmp_path / "tae.safetensors"))
    refused = run_command(*CLIP, *options, "--preview-vae", str(tiny.upsampler))

    assert done.returncode == 0, done.stderr
    with Image.open(preview) as shown:
        assert shown.size == (256, 256)
    assert refused.returncode == 1
    assert f"{tiny.upsampler}: is no tiny decoder such as taeltx2_3" in refused.stderr


@pytest.mark.parametrize(
    ("name", "reason"), [("preview.gif", "preview: should end in .webp"), ("none/preview.webp", "there is no folder")]
)
def test_a_file_that_cannot_be_written_is_refused_first(
    run_command: RunCommand, tmp_path: Path, name: str, reason: str
) -> None:
    done = run_command(*CLIP, "-o", str(tmp_path / "clip.mp4"), "--preview", str(tmp_path / name))

    assert done.returncode == 1
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []
