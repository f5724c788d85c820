"""A server that starts SGLang itself, with a small program in SGLang's place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from server.worker.messages import Ready
from tests.conftest import run_server
from tests.enhancer.test_sglang_process import python_that_runs
from tests.jobs.conftest import has_ended, program_of
from tests.jobs.serving import serve
from weights.tiny import TinyFiles

CLIP = {"prompt": "a fox", "width": 256, "height": 256, "num_frames": 9, "enhance_prompt": True, "return_json": True}


def managed(program: str, folder: Path) -> dict[str, str]:
    return {
        "enhancer": "managed",
        "sglang_python": str(python_that_runs(program, folder)),
        "sglang_model": str(folder),
        "sglang_args": "--device 'cpu'",
        "captioner": "off",
    }


def as_options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]


def test_the_process_rewrites_prompts_and_ends_with_the_server(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    options = as_options(managed("serves", tmp_path))
    with run_server(cache_dir, tmp_path, *options) as server, server.client() as client:
        answer = client.post("/generate", json=CLIP).json()
        health = client.get("/health").json()
        life = json.loads((tmp_path / "lives").read_text())
        process = psutil.Process(life["pid"])

    assert (answer["prompt"], answer["enhanced"]) == ("A red fox runs through deep snow.", True)
    assert health["enhancer"] == {"status": "ok", "reasons": []}
    assert life["argv"][-2:] == ["--device", "cpu"]
    assert has_ended(process)
    said = [line for line in server.lines if "is ready" in line]
    assert "language model" in said[0]  # before the model, because they share the GPU
    assert "LTX-23-Video" in said[1]


def test_original_prompts_are_rendered_if_the_process_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "lives").mkdir()  # so the program fails each time it starts
    settings = managed("serves", tmp_path)
    with serve(program_of("behaves"), tmp_path / "work", cache_dir=tmp_path, **settings) as served:
        served.told(Ready)
        answer = served.client.post("/generate", json=CLIP).json()
        health = served.client.get("/health").json()

    assert (answer["prompt"], answer["enhanced"]) == ("a fox", False)
    assert health["enhancer"]["status"] == "down"
    assert "ended with exit code 1 while it started" in health["enhancer"]["reasons"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "LTX23_SGLANG_PYTHON / --sglang-python: SGLang is not in {}/.local/share/ltx23/sglang: `ltx23 enh"),
        (
            ("--sglang-python", "/absent"),
            "LTX23_SGLANG_PYTHON / --sglang-python: /absent is not there: give the Python",
        ),
        (("--sglang-args", "'"), "LTX23_SGLANG_ARGS / --sglang-args: No closing quotation"),
    ],
)
def test_invalid_settings_are_reported_in_one_sentence(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server.cli", "serve", "--enhancer", "managed", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)})

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ltx23: error: {message.format(tmp_path)}")
