"""Host memory that is available in a container with a limit."""

from pathlib import Path

import psutil
import pytest

from server.worker.available_memory import available_host_bytes, bytes_below_limit

GB = 10**9


@pytest.mark.parametrize(
    ("limit", "left"), [(f"{60 * GB}", 45 * GB), ("max", None), (f"{10 * GB}", 0)], ids=["some", "no limit", "used up"]
)
def test_a_container_has_what_its_limit_leaves(limit: str, left: int | None, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{20 * GB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {14 * GB}\nfile {6 * GB}\ninactive_file {5 * GB}\n")

    assert bytes_below_limit(tmp_path) == left


def test_a_limit_lowers_what_the_system_has(tmp_path: Path) -> None:
    assert available_host_bytes(tmp_path) == pytest.approx(psutil.virtual_memory().available, rel=0.2)

    for name, value in (("max", "1000000"), ("current", "0"), ("stat", "inactive_file 0")):
        (tmp_path / f"memory.{name}").write_text(value)

    assert available_host_bytes(tmp_path) == 1_000_000
