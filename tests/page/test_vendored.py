"""The vendored libraries of the page are the published files, and nothing else is served with them."""

import hashlib
from pathlib import Path

from server.routes.playground import load_playground

VENDOR = Path(__file__).parents[2] / "server" / "pages" / "playground" / "vendor"


def test_the_files_have_the_published_hashes() -> None:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.suffix in (".js", ".mjs", ".ts", ".mts")
    }

    assert found == listed


def test_each_package_has_its_licence() -> None:
    assert {path.parent.name for path in VENDOR.glob("*/LICENSE")} == {
        path.name for path in VENDOR.iterdir() if path.is_dir()
    }


def test_types_and_texts_are_not_served() -> None:
    served = {name for name in load_playground().files if name.startswith("vendor/")}

    assert {Path(name).suffix for name in served} == {".js", ".mjs"}
