"""Read how much host memory this process may still take."""

from pathlib import Path

import psutil

# Of version 2: what a container sees of its own limits.
CGROUP = Path("/sys/fs/cgroup")


def available_host_bytes(cgroup: Path = CGROUP) -> int:
    """Return what the system has available, or what a container's limit leaves if that is less."""
    available: int = psutil.virtual_memory().available
    left = bytes_below_limit(cgroup)
    return available if left is None else min(available, left)


def bytes_below_limit(cgroup: Path) -> int | None:
    """Return what the limit leaves beside memory in use and cached files in use; None if there is no limit."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used_bytes = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if limit == "max" else max(int(limit) - used_bytes + int(stat["inactive_file"]), 0)
