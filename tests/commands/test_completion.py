"""`ltx23 completion`: the scripts that shells load."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunCommand

# Calls bash's completion of `ltx23` as bash does when Tab is pressed, and prints what it proposes.
PRESS_TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p ltx23 | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function ltx23 "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(run_command: RunCommand, tmp_path: Path) -> Path:
    path = tmp_path / "ltx23.bash"
    path.write_text(run_command("completion", "bash").stdout)
    return path


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["gen"], ["generate"]),
        (["generate", "--heig"], ["--height"]),
        (["generate", "--format", ""], ["mp4", "webm"]),
        (["weights", "pu"], ["pull"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["generate", "--image", "fi"], ["first.png"]),
        (["generate", "--images", "ph"], ["photos"]),
        (["serve", "--errors", "h"], ["hosted"]),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], proposed: list[str], script: Path, tmp_path: Path) -> None:
    (tmp_path / "first.png").touch()
    (tmp_path / "photos").mkdir()
    command = ["bash", "-c", PRESS_TAB, "bash", str(script), "ltx23", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == proposed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_valid(shell: str, run_command: RunCommand, tmp_path: Path) -> None:
    done = run_command("completion", shell)
    (tmp_path / "script").write_text(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert "tail-guard" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    assert subprocess.run([shell, "-n", "script"], cwd=tmp_path).returncode == 0
