"""The real captioner process with a tiny Florence-2."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from enhancer.captioner import Captioner, CaptionerOptions, CaptionerState
from enhancer.errors import CaptionerDown, CaptionError, OptionError
from enhancer.florence import load_florence
from tests.enhancer.tiny_florence import write_tiny_florence


@pytest.fixture(scope="session")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("florence")
    write_tiny_florence(folder)
    return folder


@pytest.fixture(autouse=True)
def foreign_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run in the folder of a user's project, which has a module `enhancer`."""
    project = tmp_path_factory.mktemp("project")
    (project / "enhancer.py").write_text("raise SystemExit('this is not the enhancer')")
    monkeypatch.chdir(project)


@asynccontextmanager
async def captioning(model: Path | str, **options: Any) -> AsyncIterator[Captioner]:
    captioner = Captioner(CaptionerOptions(str(model), wait_s=60, timeout_s=60, **options))
    try:
        yield captioner
    finally:
        await captioner.aclose()


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (640, 360), **options: object) -> Path:
    gradient = Image.linear_gradient("L").resize(size)
    gradient.convert(mode).save(path, **options)  # type: ignore[arg-type]
    return path


async def test_images_of_every_kind_get_captions(florence: Path, tmp_path: Path) -> None:
    images = [
        save(tmp_path / "a.png"),
        save(tmp_path / "b.jpg", quality=90),
        save(tmp_path / "c.webp"),
        save(tmp_path / "alpha.png", "RGBA"),
        save(tmp_path / "grey.jpg", "L", (3000, 40)),
        save(tmp_path / "palette.png", "P", (1, 2000)),
    ]
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(images[0].read_bytes()[:200])
    async with captioning(florence, device="cpu") as captioner:
        captions = [await captioner.caption(path) for path in images]
        assert all(caption and "\n" not in caption and "<s>" not in caption for caption in captions)
        assert await captioner.caption(images[0]) == captions[0]
        for name in ("text.png", "cut.png", "missing.png"):
            with pytest.raises(CaptionError, match="cannot be read"):
                await captioner.caption(tmp_path / name)
        assert captioner.state is CaptionerState.READY


@pytest.fixture
def pickled(florence: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(florence, tmp_path / "florence")
    file = folder / "model.safetensors"
    torch.save(load_file(file), file.with_name("pytorch_model.bin"))
    file.unlink()
    return folder


async def test_pickled_weights_are_refused(pickled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with captioning(pickled, device="cpu") as captioner:
        with pytest.raises(CaptionerDown, match="cannot load its model"):
            await captioner.caption(tmp_path / "a.png")
    assert f"model: {pickled} cannot be loaded as Florence-2: " in caplog.text
    assert "model.safetensors" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "model: .* cannot be loaded as Florence-2: "),
        ({"device": "cuda:99"}, "device: there is no cuda:99 here"),
        ({"device": "meta"}, "device: 'meta' is not supported"),
        ({"dtype": "int8"}, "dtype: 'int8' is none of auto, "),
    ],
)
def test_what_cannot_be_loaded_is_named(options: dict[str, str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))

    with pytest.raises(OptionError, match=f"^{reason}"):
        load_florence(str(tmp_path), **{"device": "cpu", "dtype": "auto"} | options)
