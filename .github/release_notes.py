"""Print the changelog's section of a tagged version: `python release_notes.py v1.2.3`."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def release_notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of `version`. Raise ValueError if `tag` is another version or the section is missing."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, but pyproject.toml has version {version}: tag v{version}")
    sections = dict(re.findall(r"^## (\S+).*\n((?:(?!## ).*\n?)*)", changelog, re.MULTILINE))
    notes = sections.get(version, "").strip()
    if not notes:
        raise ValueError(f"CHANGELOG.md has no section '## {version}': rename '## Unreleased' to it")
    return notes


def main() -> str | None:
    """Return the error, if any, for `sys.exit`."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    try:
        print(release_notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text("utf-8")))
    except ValueError as exc:
        return f"release_notes.py: error: {exc}"
    return None


if __name__ == "__main__":
    sys.exit(main())
