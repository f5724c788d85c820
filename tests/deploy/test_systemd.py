"""deploy/systemd/ltx23.service, as systemd itself reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from server.settings import PREFIX, Settings

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "ltx23.service"
TEXT = UNIT.read_text()
# Tenths of the exposure that `systemd-analyze security` prints; 10 is the worst of its 10.0, and 2.0 is "OK".
MOST_EXPOSURE = 20

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def value(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", TEXT, flags=re.MULTILINE)
    return str(found)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Write the unit with a command that is on this machine, which systemd looks for."""
    path = tmp_path / UNIT.name
    path.write_text(TEXT.replace(value("ExecStart").split()[0], "/bin/true"))
    return path


@needs_systemd
def test_systemd_accepts_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_service_has_few_rights(unit: Path) -> None:
    options = ["--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE}"]

    done = subprocess.run(["systemd-analyze", "security", *options, str(unit)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_sets_only_settings_that_exist() -> None:
    named = set(re.findall(r"^Environment=(LTX23_\w+)=", TEXT, flags=re.MULTILINE))

    assert named
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_running_clips_may_end_before_the_server_is_killed() -> None:
    assert int(value("TimeoutStopSec")) > Settings.model_fields["drain_s"].default
    assert value("KillMode") == "mixed"
