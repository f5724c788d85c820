"""What .dockerignore leaves out, and what COPY copies."""

from pathlib import Path, PurePosixPath

import pytest

from deploy.try_image.context import CopyError, Ignored, copy


@pytest.mark.parametrize(
    ("path", "is_ignored"),
    [
        ("server/app.py", False),
        ("server/__pycache__/app.pyc", True),
        ("server/deep/er/__pycache__/app.pyc", True),
        ("server/notes.md", True),
        ("server/deep/notes.md", False),
        ("other/app.py", True),
        ("README.md", False),
        ("README.rst", True),
    ],
)
def test_the_last_rule_that_matches_decides(path: str, is_ignored: bool) -> None:
    ignored = Ignored(["*", "", "# a comment", "!server", "!README.m?", "**/__pycache__", "server/*.md"])

    assert ignored(PurePosixPath(path)) is is_ignored


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "server" / "pages").mkdir(parents=True)
    (folder / "server" / "app.py").write_text("app")
    (folder / "server" / "pages" / "client.js").symlink_to("../../clients/client.js")
    (folder / "README.md").write_text("readme")
    return folder


def test_the_contents_of_folders_are_copied_and_links_stay_links(context: Path, tmp_path: Path) -> None:
    copy(context, Ignored([]), ["server"], tmp_path / "root" / "srv")
    copy(context, Ignored([]), ["README.md"], tmp_path / "root")

    root = tmp_path / "root"
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()) == [
        "README.md",
        "srv/app.py",
        "srv/pages/client.js",
    ]
    assert (root / "srv" / "pages" / "client.js").is_symlink()


@pytest.mark.parametrize(
    ("source", "message"),
    [("absent", "absent is not in the build context"), ("README.md", r"README.md is left out by .dockerignore")],
)
def test_a_source_that_docker_would_not_find_is_refused(
    source: str, message: str, context: Path, tmp_path: Path
) -> None:
    with pytest.raises(CopyError, match=message):
        copy(context, Ignored(["*.md"]), [source], tmp_path / "root")
