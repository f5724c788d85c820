"""Write a wheel of a package named sglang, which pip can install."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile


def write_wheel(folder: Path, version: str, files: Mapping[str, str]) -> Path:
    info = f"sglang-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: sglang\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*contents, f"{info}/RECORD"])
    wheel = folder / f"sglang-{version}-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for name, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel
