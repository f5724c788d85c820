"""Folders of jobs: gone with their request, with their server, and when the server was killed, with the next one."""

import signal
import subprocess
import sys
from pathlib import Path

from server.workspace import Workspace, write_images
from tests.jobs.conftest import PROGRAMS


def killed_server(parent: Path) -> Path:
    """The folder of the job it had."""
    program = [sys.executable, str(PROGRAMS / "leaves_a_workspace.py"), str(parent)]
    killed = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    return Path(killed.stdout.strip())


def test_a_jobs_folder_goes_with_its_request(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with workspace.job_folder() as folder:
        assert [path.read_bytes() for path in write_images(folder, [b"one", b"two"])] == [b"one", b"two"]
        assert folder.is_relative_to(tmp_path)
    assert not folder.exists()
    workspace.close()


def test_everything_goes_with_the_server(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "made" / "here")
    with workspace.job_folder() as folder:
        write_images(folder, [b"one"])
        workspace.close()
    assert list((tmp_path / "made" / "here").iterdir()) == []


def test_the_next_server_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left = killed_server(tmp_path)
    assert (left / "clip.mp4").exists()
    Workspace(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    living = Workspace(tmp_path)
    with living.job_folder() as folder:
        Workspace(tmp_path).close()
        assert folder.exists()
    living.close()


def test_what_only_looks_like_such_a_folder_is_left_alone(tmp_path: Path) -> None:
    weights = tmp_path / "ltx23-work-weights" / "job-1"
    weights.mkdir(parents=True)
    (tmp_path / "ltx23-work-notes").write_text("mine")
    (killed_server(tmp_path).parent / "notes").write_text("mine")
    Workspace(tmp_path).close()

    assert weights.exists()
    assert sorted(path.name for path in tmp_path.rglob("*notes")) == ["ltx23-work-notes", "notes"]
