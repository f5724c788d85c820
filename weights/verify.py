"""Check whether a file on disk is the published one: its size, then its hash."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weights.disk import format_bytes
from weights.errors import FileError, HashError, SizeError, WeightsError
from weights.progress import Progress
from weights.registry import Part, PublishedFile, WeightSet
from weights.store import State, Store, file_size

CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Verdict:
    """The verdict on one file; `error` is None if it is as published."""

    path: Path
    error: WeightsError | None = None


def verify_set(weight_set: WeightSet, store: Store, progress: Progress) -> Iterator[Verdict]:
    """Yield a verdict for each file as it is read."""
    for part in weight_set.parts:
        files = store.files(part)
        if not files:
            yield Verdict(store.path(part), _absent(store, part))
        for file in files:
            path = store.path(part, file)
            try:
                _validate_present(store, part, file)
                verify_file(path, file, str(path), progress, part.lookalike)
                yield Verdict(path)
            except WeightsError as exc:
                yield Verdict(path, exc)


def verify_file(path: Path, file: PublishedFile, name: str, progress: Progress, lookalike: str = "") -> str:
    """Return the sha256. Raises SizeError, HashError, or FileError if the file cannot be read."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            raise SizeError.of(name, file.size_bytes, size_bytes)
        progress.begin("verifying", name, size_bytes)
        found = _hashes(path, file, progress)
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc
    for kind, expected in (("sha256", file.sha256), ("git hash", file.git_blob)):
        if expected is not None and found[kind] != expected:
            raise HashError.of(name, kind, expected, found[kind], lookalike)
    return found["sha256"]


def _hashes(path: Path, file: PublishedFile, progress: Progress) -> dict[str, str]:
    hashes = {"sha256": hashlib.sha256()}
    if file.git_blob is not None:
        # The hub's only hash of a small file; https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
        hashes["git hash"] = hashlib.sha1(b"blob %d\0" % file.size_bytes)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            for digest in hashes.values():
                digest.update(chunk)
            progress.advance(len(chunk))
    return {kind: digest.hexdigest() for kind, digest in hashes.items()}


def _absent(store: Store, part: Part) -> FileError:
    """Describe a folder about which the hub was never asked."""
    if store.part_presence(part).state == State.MISSING:
        return FileError(store.path(part), "is missing; pull the set")
    return FileError(store.path(part), "is there, but nothing is known to verify it against; pull the set, which asks")


def _validate_present(store: Store, part: Part, file: PublishedFile) -> None:
    path = store.path(part, file)
    if file_size(path) is None:
        arrived_bytes = store.presence(part, file).on_disk_bytes
        arrived = f", {format_bytes(arrived_bytes)} of {format_bytes(file.size_bytes)} have arrived"
        raise FileError(path, f"is missing{arrived if arrived_bytes else ''}; pull the set")
