"""Run programs in a root of their own, with bubblewrap."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# As in every base image.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ROOT = "0:0"


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine that a root shows read-only at `target`."""

    source: Path
    target: str


# As Docker does while it builds.
NAME_SERVERS = Mount(Path("/etc/resolv.conf").resolve(), "/etc/resolv.conf")


def step_command(
    root: Path, command: str, folder: str, environment: Mapping[str, str], user: str, mounts: Sequence[Mount]
) -> list[str]:
    """Return the command that runs one RUN instruction, with this machine's network."""
    options = ["--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--unshare-pid", "--cap-add", "ALL"]
    for mount in mounts:
        options += ["--ro-bind", str(mount.source), mount.target]
    rights = [] if user == ROOT else without_rights(user)
    return ["bwrap", *options, *_inside(folder, environment), *rights, "/bin/sh", "-c", command]


def service_command(
    root: Path,
    command: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    user: str,
    volumes: Mapping[str, Path],
    info_fd: int,
) -> list[str]:
    """Return the command that runs a service as a container does: read-only, alone, without rights.

    It has no network but its own loopback. Its process id is written to `info_fd` as JSON.
    """
    options = ["--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    for target, source in volumes.items():
        options += ["--bind", str(source), target]
    options += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--cap-add", "ALL"]
    options += ["--as-pid-1", "--die-with-parent", "--info-fd", str(info_fd)]
    return ["bwrap", *options, *_inside(folder, environment), *without_rights(user), *command]


def without_rights(user: str) -> list[str]:
    """Return the words that run a command as `UID:GID` without any capability."""
    uid, _, gid = user.partition(":")
    groups = ["--reuid", uid, "--regid", gid or uid, "--clear-groups"]
    return ["setpriv", *groups, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def _inside(folder: str, environment: Mapping[str, str]) -> list[str]:
    variables = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    return ["--clearenv", *variables, "--chdir", folder]


def run_logged(command: Sequence[str], log: Path) -> bool:
    """Run a command with its output in a file; return whether it succeeded."""
    with log.open("wb") as out:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode == 0
