"""Folders of jobs: removed with their request, with their server, or by the next server if theirs was killed."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.jobs.workspace import Workspace
from server.uploads.files import write_images
from server.worker.messages import Ready
from tests.http.videos import create, finish
from tests.jobs.conftest import PROGRAMS, program_of
from tests.jobs.serving import serve


def killed_server(parent: Path) -> Path:
    """Run a server until it is killed; return the folder of its job."""
    program = [sys.executable, str(PROGRAMS / "leaves_a_workspace.py"), str(parent)]
    killed = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    return Path(killed.stdout.strip())


def test_a_jobs_folder_is_removed_with_its_request(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with workspace.job_folder() as folder:
        paths = asyncio.run(write_images(folder, [b"one", b"two", b"one"]))
        assert [path.read_bytes() for path in paths] == [b"one", b"two", b"one"]
        assert len(list(folder.iterdir())) == 2
        assert folder.is_relative_to(tmp_path)
    assert not folder.exists()
    workspace.close()


def test_all_folders_are_removed_with_the_server(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "made" / "here")
    with workspace.job_folder() as folder:
        asyncio.run(write_images(folder, [b"one"]))
        workspace.close()
    assert list((tmp_path / "made" / "here").iterdir()) == []


def test_the_next_server_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left = killed_server(tmp_path)
    assert (left / "clip.mp4").exists()
    Workspace(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_running_server_is_kept(tmp_path: Path) -> None:
    living = Workspace(tmp_path)
    with living.job_folder() as folder:
        Workspace(tmp_path).close()
        assert folder.exists()
    living.close()


def test_folders_with_similar_names_are_kept(tmp_path: Path) -> None:
    weights = tmp_path / "ltx23-work-weights" / "job-1"
    weights.mkdir(parents=True)
    (tmp_path / "ltx23-work-notes").write_text("mine")
    (killed_server(tmp_path).parent / "notes").write_text("mine")
    Workspace(tmp_path).close()

    assert weights.exists()
    assert sorted(path.name for path in tmp_path.rglob("*notes")) == ["ltx23-work-notes", "notes"]


def test_the_folder_of_a_running_server_is_locked_against_cleaners(tmp_path: Path) -> None:
    """Cleaners such as systemd-tmpfiles skip a directory whose shared lock they cannot get."""
    workspace = Workspace(tmp_path)
    (root,) = tmp_path.iterdir()
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        workspace.close()
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def test_a_server_recreates_its_folders_if_they_are_removed(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with serve(program_of("behaves"), work, cache_dir=tmp_path, data_dir=tmp_path / "data") as served:
        served.told(Ready)
        assert served.ask("before").status_code == 200
        shutil.rmtree(work)
        shutil.rmtree(tmp_path / "data" / "videos")

        assert served.ask("after").status_code == 200
        assert finish(served.client, create(served.client))["status"] == "completed"
        Workspace(work).close()
        assert served.ask("beside another server").status_code == 200
    assert list(work.iterdir()) == []
