"""The notes of a release are the changelog's section for the version in the tag."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".github" / "release_notes.py"
CHANGELOG = """# Changelog

## Unreleased

- Later.

## 1.10.0 (2026-12-24)

- A thing.

### What changed for clients

| before | now |

## 1.1.0
"""


@pytest.fixture(scope="module")
def release_notes() -> Callable[[str, str, str], str]:
    spec = importlib.util.spec_from_file_location("release_notes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[str, str, str], str] = module.release_notes
    return function


def test_the_notes_are_the_versions_section(release_notes: Callable[[str, str, str], str]) -> None:
    notes = release_notes("v1.10.0", "1.10.0", CHANGELOG)

    assert notes == "- A thing.\n\n### What changed for clients\n\n| before | now |"


@pytest.mark.parametrize(
    ("tag", "version", "error"),
    [
        ("v1.10.1", "1.10.0", "the tag is v1.10.1, but pyproject.toml has version 1.10.0: tag v1.10.0"),
        ("1.10.0", "1.10.0", "the tag is 1.10.0"),
        ("v1.1.0", "1.1.0", "CHANGELOG.md has no section '## 1.1.0'"),
        ("v1.1", "1.1", "CHANGELOG.md has no section '## 1.1'"),
    ],
    ids=["another version", "no v", "an empty section", "part of a number"],
)
def test_a_tag_without_notes_is_refused(
    release_notes: Callable[[str, str, str], str], tag: str, version: str, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        release_notes(tag, version, CHANGELOG)
