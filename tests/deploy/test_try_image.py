"""What deploy/try-image says before it needs root; the nightly workflow runs it for both images."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.try_image.__main__ import main
from deploy.try_image.base import suite_of

SCRIPT = Path(__file__).parents[2] / "deploy" / "try-image"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    return main()


def test_help_needs_no_rights() -> None:
    done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True)

    assert "--target" in done.stdout


def test_missing_programs_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert run(monkeypatch) == 1
    assert "missing programs (packages): debootstrap (debootstrap), bwrap (bubblewrap)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--build-arg", "A"), "'A' is not NAME=VALUE"),
        (("--mount", "/nowhere:/here"), "'/nowhere:/here' is not SOURCE:TARGET with a source that exists"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "suite"),
    [
        ("debian:bookworm-20260824-slim@sha256:0", "bookworm"),
        ("nvidia/cuda:13.0.1-runtime-ubuntu24.04@sha256:0", "noble"),
        ("python:3.12-slim-trixie", "trixie"),
        ("alpine:3", None),
    ],
)
def test_the_release_of_an_image_is_in_its_name(image: str, suite: str | None) -> None:
    assert suite_of(image) == suite
