"""`ltx23 weights fit-preview`."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.ltx.latent_rgb import SHIPPED, read_map
from tests.conftest import RunCommand
from weights.tiny import TinyFiles


@pytest.fixture(scope="module")
def vae_file(tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tiny model's video VAE to a file of its own, without a config."""
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    tensors = load_file(tiny.checkpoint)
    save_file({name: tensor for name, tensor in tensors.items() if name.startswith("vae.")}, path)
    return path


def test_the_map_of_a_vae_file_is_kept_by_its_identity(run_command: RunCommand, vae_file: Path, tmp_path: Path) -> None:
    done = run_command("weights", "fit-preview", str(vae_file), "--cache-dir", str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    [path] = (tmp_path / "previews").iterdir()
    assert done.stdout == f"{path}\n"
    # The shipped map of the tiny model is what the fit finds.
    fitted, shipped = read_map(path, 128), read_map(SHIPPED / path.name, 128)
    assert fitted is not None
    assert shipped is not None
    torch.testing.assert_close(fitted.weight, shipped.weight, rtol=0, atol=1e-3)
    torch.testing.assert_close(fitted.bias, shipped.bias, rtol=0, atol=1e-3)


def test_what_holds_no_video_vae_is_refused_by_name(run_command: RunCommand, tiny: TinyFiles, tmp_path: Path) -> None:
    for path, why in (
        (tiny.upsampler, "holds no video VAE of LTX-2.3"),
        (tmp_path / "none.safetensors", "o such file"),
        (tmp_path, "a diffusers folder is needed"),
    ):
        done = run_command("weights", "fit-preview", str(path), "--cache-dir", str(tmp_path))

        assert done.returncode == 1
        assert done.stderr.startswith(f"ltx23: error: {path}")
        assert why in done.stderr
    assert not (tmp_path / "previews").exists()
