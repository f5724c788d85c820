"""The files of the playground at `/`, which are read once, and a version that changes with any of them."""

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from posixpath import dirname, join, normpath

MEDIA_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
STYLE = "style.css"
MAIN = "main.js"
# `import ... from "./a.js"` and `export ... from "./a.js"`, minified or not; `import("./a.js")` is loaded later.
STATIC_IMPORT = re.compile(r"""\bfrom\s*"(\.[^"]+)"[;,\n]""")


@dataclass(frozen=True)
class PlaygroundFile:
    data: bytes
    media_type: str

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.data, mtime=0)


@dataclass(frozen=True)
class Playground:
    """The files by their names, such as `view/gallery.js`, and the version that their addresses have."""

    version: str
    files: Mapping[str, PlaygroundFile]

    @property
    def links(self) -> str:
        """Return the elements of the head that load the page: its style, and at once every module of the form."""
        base = f"page/{self.version}"
        return "\n".join(
            [
                f'<link rel="stylesheet" href="{base}/{STYLE}">',
                *(f'<link rel="modulepreload" href="{base}/{name}">' for name in sorted(self._imported(MAIN))),
                f'<script type="module" src="{base}/{MAIN}"></script>',
            ]
        )

    def _imported(self, name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return the module and all that it imports, directly or not, except what it imports while it runs."""
        if name in seen:
            return seen
        seen |= {name}
        for path in STATIC_IMPORT.findall(self.files[name].data.decode()):
            seen = self._imported(normpath(join(dirname(name), path)), seen)
        return seen


def load_playground() -> Playground:
    """Read every file of the page that browsers load. The styles become one, in the order of their names."""
    found = dict(_walk(files("server") / "pages" / "playground"))
    styles = [found.pop(name).data for name in sorted(found) if name.endswith(".css")]
    found[STYLE] = PlaygroundFile(b"\n".join(styles), MEDIA_TYPES[".css"])
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode())
        digest.update(found[name].data)
    return Playground(digest.hexdigest()[:16], found)


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, PlaygroundFile]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry) in MEDIA_TYPES:
            yield f"{prefix}{entry.name}", _read(entry)


def _read(file: Traversable) -> PlaygroundFile:
    return PlaygroundFile(file.read_bytes(), MEDIA_TYPES[_suffix(file)])


def _suffix(file: Traversable) -> str:
    return "." + file.name.rpartition(".")[2]
