"""Pulls that are killed, interrupted, watched, or two at once."""

import os
import signal

from tests.weights.conftest import Shell
from tests.weights.hub import Fault, Hub
from tests.weights.small_world import MODEL, MODEL_PATH

HALF = len(MODEL) // 2


def test_another_process_goes_on_where_one_was_killed(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(hold=True))
    process = shell.start("pull")
    # Asked for the rest, it has the first half on its disk.
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


def test_two_at_once_fetch_everything_once(hub: Hub, shell: Shell) -> None:
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


def test_a_file_that_was_complete_when_its_puller_died_is_not_fetched_again(hub: Hub, shell: Shell) -> None:
    shell.run("pull")
    hub.seen.clear()
    # Between the new name and the note that it was verified.
    (shell.model.parents[1] / ".published.json").unlink()

    assert shell.run("pull").returncode == 0
    assert hub.seen == []


def test_a_terminal_sees_a_bar(shell: Shell) -> None:
    terminal, stderr = os.openpty()
    try:
        process = shell.start("pull", stderr=stderr)
        process.communicate()
        shown = os.read(terminal, 100_000).decode()
    finally:
        os.close(terminal)
        os.close(stderr)

    assert process.returncode == 0
    assert "downloading model.safetensors" in shown
    assert "verifying model.safetensors" in shown
