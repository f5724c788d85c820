"""A key file that changes while the server runs."""

import logging
import os
from pathlib import Path

import pytest

from server.edge.api_keys import ApiKeys
from server.edge.key_ring import KeyRing
from tests.edge.asgi import ask, show


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    write(path, "sk-one\nsk-two\n")
    return path


def write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def status(ring: KeyRing, key: str) -> int:
    return ask(ApiKeys(show, ring), headers={"X-API-Key": key}).status_code


def test_a_removed_key_stops_working_and_a_new_one_works(file: Path) -> None:
    ring = KeyRing(["sk-fixed"], file)
    assert [status(ring, key) for key in ("sk-one", "sk-two", "sk-new", "sk-fixed")] == [200, 200, 401, 200]

    write(file, "sk-two\nsk-new\n")

    assert [status(ring, key) for key in ("sk-one", "sk-two", "sk-new", "sk-fixed")] == [401, 200, 200, 200]


def test_a_replaced_file_is_read_again(file: Path, tmp_path: Path) -> None:
    """The new file has the same size and times; editors and secret managers rename a new file over the old one."""
    ring = KeyRing(key_file=file)
    new = tmp_path / "new"
    write(new, "sk-ten\nsk-two\n")
    times = file.stat()
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))

    new.replace(file)

    assert [status(ring, key) for key in ("sk-one", "sk-ten")] == [401, 200]


def test_a_symlink_that_changes_its_target_is_followed(file: Path, tmp_path: Path) -> None:
    """This is how a mounted Kubernetes secret changes."""
    link, other = tmp_path / "link", tmp_path / "other"
    write(other, "sk-six\nsk-two\n")
    link.symlink_to(file)
    ring = KeyRing(key_file=link)

    link.unlink()
    link.symlink_to(other)

    assert [status(ring, key) for key in ("sk-one", "sk-six")] == [401, 200]


@pytest.mark.parametrize(
    "broken", [None, "", "# none\n", "two words\n"], ids=["missing", "empty", "comments", "no key"]
)
def test_an_unusable_file_changes_nothing_and_is_logged_once(
    file: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(key_file=file)
    file.unlink() if broken is None else write(file, broken)

    assert [status(ring, key) for key in ("sk-one", "sk-two", "sk-new")] == [200, 200, 401]
    [error] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert str(file) in error
    assert "stay valid" in error
    assert "sk-" not in caplog.text

    write(file, "sk-new\n")
    assert [status(ring, key) for key in ("sk-one", "sk-new")] == [401, 200]


def test_a_pipe_is_read_once(caplog: pytest.LogCaptureFixture) -> None:
    """A shell passes a pipe for `--api-keys-file <(...)`."""
    reader, writer = os.pipe()
    os.write(writer, b"sk-one\n")
    os.close(writer)
    ring = KeyRing(key_file=Path(f"/dev/fd/{reader}"))
    os.close(reader)

    assert [status(ring, key) for key in ("sk-one", "sk-two")] == [200, 401]
    assert caplog.records == []


def test_a_fifo_in_place_of_the_file_does_not_block_the_server(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    ring = KeyRing(key_file=file)
    file.unlink()
    os.mkfifo(file)

    assert status(ring, "sk-one") == 200
    assert "is not a file" in caplog.text


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True), (0o660, True)]
)
def test_a_warning_is_logged_if_others_can_read_the_file(
    file: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    file.chmod(mode)
    KeyRing(key_file=file)

    assert ("chmod 600" in caplog.text) is warned
