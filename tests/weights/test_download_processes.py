"""Pulls that are killed or interrupted, two pulls at once, and the progress bar."""

import contextlib
import os
import signal
import termios
from collections.abc import Iterator

from tests.weights.conftest import Shell
from tests.weights.hub import Fault, Hub
from tests.weights.small_world import MODEL, MODEL_PATH

HALF = len(MODEL) // 2


def test_a_pull_resumes_after_another_was_killed(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(hold=True))
    process = shell.start("pull")
    # When it requests the rest, the first half is on the disk.
    hub.wait_for_gets(MODEL_PATH, 2)
    process.kill()
    process.communicate()

    assert not shell.model.exists()
    assert shell.partial.read_bytes() == MODEL[:HALF]
    assert shell.run("pull").returncode == 0
    assert hub.gets(MODEL_PATH)[-1].range == f"bytes={HALF}-"
    assert shell.model.read_bytes() == MODEL


def test_ctrl_c_keeps_what_has_arrived(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(hold=True))
    process = shell.start("pull")
    hub.wait_for_gets(MODEL_PATH, 2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()

    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "ltx23: interrupted; what has arrived is kept"
    assert shell.partial.read_bytes() == MODEL[:HALF]
    assert shell.run("pull").returncode == 0


def test_two_pulls_at_once_fetch_each_file_once(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(hold=True))
    first = shell.start("pull")
    hub.wait_for_gets(MODEL_PATH, 1)
    second = shell.start("pull")
    assert second.stderr is not None
    assert "another process is pulling into" in second.stderr.readline()
    hub.release.set()
    for process in (first, second):
        process.communicate()

    assert (first.returncode, second.returncode) == (0, 0)
    assert len(hub.gets(MODEL_PATH)) == 1
    assert shell.model.read_bytes() == MODEL


def test_a_complete_file_of_a_killed_pull_is_not_fetched_again(hub: Hub, shell: Shell) -> None:
    shell.run("pull")
    hub.seen.clear()
    # Killed after the file was renamed and before it was recorded as verified.
    (shell.model.parents[1] / ".published.json").unlink()

    assert shell.run("pull").returncode == 0
    assert hub.seen == []


def test_a_terminal_shows_a_progress_bar(shell: Shell) -> None:
    terminal, stderr = os.openpty()
    termios.tcsetwinsize(stderr, (24, 100))
    process = shell.start("pull", stderr=stderr)
    os.close(stderr)
    shown = b"".join(read_to_end(terminal))
    process.communicate()

    assert process.returncode == 0
    assert b"downloading model.safetensors" in shown
    assert b"verifying model.safetensors" in shown


def read_to_end(terminal: int) -> Iterator[bytes]:
    """Yield output until the last program has ended: reading the terminal then raises OSError."""
    with contextlib.suppress(OSError):
        while True:
            yield os.read(terminal, 4096)
    os.close(terminal)
