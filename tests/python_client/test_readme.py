"""The examples of clients/python/README.md, run as they are but for the sizes of the clips."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.http.conftest import picture
from tests.python_client.conftest import KEY, Rehearsal

README = (Path(__file__).parents[2] / "clients/python/README.md").read_text()
SMALLER = {"width=512": "width=256", "height=320": "height=256", "num_frames=25": "num_frames=9"}
SMALLER |= {f"duration={seconds}": "num_frames=9" for seconds in (1, 2)}
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example: str, rehearsal: Rehearsal, tmp_path: Path) -> None:
    (tmp_path / "first.png").write_bytes(picture(color="red"))
    (tmp_path / "last.jpg").write_bytes(picture("JPEG", color="blue"))
    for written, used in (SMALLER | {"http://127.0.0.1:8000": rehearsal.url}).items():
        example = example.replace(written, used)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env=os.environ | {"LTX23_SERVER": rehearsal.url, "LTX23_API_KEY": KEY, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    saved = re.findall(r'save\("([^"]+)"\)', example)
    assert all((tmp_path / name).stat().st_size > 1000 for name in saved)
