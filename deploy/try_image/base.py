"""A fresh root from Debian's or Ubuntu's packages, in place of a base image."""

import re
import shutil
import subprocess
from pathlib import Path

UBUNTU = {"22.04": "jammy", "24.04": "noble", "26.04": "resolute"}
DEBIAN = re.compile(r"\b(bookworm|trixie|forky)\b")

# Debian's slim images leave these out as well.
NOT_IN_SLIM = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
# What the official images tell apt: to keep neither packages nor the index that it makes of its lists.
APT = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


class BaseError(Exception):
    """The root cannot be made."""


def suite_of(image: str) -> str | None:
    """Return the release that an image is made from, by its name; None if that does not tell."""
    if match := DEBIAN.search(image):
        return match[1]
    return next((suite for version, suite in UBUNTU.items() if f"ubuntu{version}" in image), None)


def make_base(suite: str, mirror: str | None, folder: Path, log: Path) -> None:
    """Install the packages that every image of the release has. Raises BaseError."""
    command = ["debootstrap", "--variant=minbase", suite, str(folder), *([mirror] if mirror else [])]
    with log.open("wb") as out:
        if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise BaseError(f"debootstrap {suite} failed: {''.join(last)}")
    excludes = "".join(f"path-exclude {pattern}\n" for pattern in NOT_IN_SLIM)
    (folder / "etc/dpkg/dpkg.cfg.d/slim").write_text(excludes)
    (folder / "etc/apt/apt.conf.d/clean").write_text(APT)
    for pattern in (*NOT_IN_SLIM, "/var/cache/apt/archives/*.deb", "/var/cache/apt/*.bin", "/var/lib/apt/lists/*"):
        for path in folder.glob(pattern.removeprefix("/")):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
