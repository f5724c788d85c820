"""Fetch a weight set from the hub into the weights folder."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from weights import hub
from weights.disk import FreeBytes, free_bytes, locked, validate_room
from weights.errors import HashError, IntegrityError, OfflineError, SizeError
from weights.fetch import fetch_file
from weights.progress import Progress
from weights.registry import Part, PublishedFile, WeightSet, licenses_of
from weights.retry import DELAYS_S, with_retries
from weights.store import State, Store
from weights.verify import verify_file

FileOfPart: TypeAlias = tuple[Part, PublishedFile]


def pull(
    weight_set: WeightSet,
    store: Store,
    progress: Progress,
    delays_s: Sequence[float] = DELAYS_S,
    free: FreeBytes = free_bytes,
) -> None:
    """Fetch the missing parts of the set; ask the hub nothing if the set is complete.

    Raises DownloadError if something could not be fetched, IntegrityError if what is on disk or on the hub is not the
    published file.
    """
    if not _incomplete(weight_set.parts, store):
        return
    with locked(store.root, progress.note):
        _verify_existing(_known_files(weight_set.parts, store), store, progress)
        parts = _incomplete(weight_set.parts, store)
        if parts and hub.is_offline():
            raise OfflineError(f"HF_HUB_OFFLINE is set, and {store.root} lacks {', '.join(p.name for p in parts)}")
        for license in licenses_of(parts):
            progress.note(str(license))
        # Ask for every part before the first byte comes: a licence not accepted shows now, not after 30 GB.
        for part in parts:
            _resolve(part, store, progress, delays_s)
        _verify_existing(_known_files(parts, store), store, progress)
        wanted = [(part, file) for part, file in _known_files(parts, store) if not _is_complete(store, part, file)]
        arrived_bytes = {part.name_of(file): store.presence(part, file).on_disk_bytes for part, file in wanted}
        total_bytes = sum(file.size_bytes for _, file in wanted)
        progress.expect(total_bytes, arrived_bytes)
        validate_room(store.root, total_bytes - sum(arrived_bytes.values()), free(store.root))
        for part, file in wanted:
            sha256 = fetch_file(part, file, store, progress, delays_s)
            store.mark_verified(part, file, sha256)
            progress.arrived(part.name_of(file), file.size_bytes)


def _incomplete(parts: Iterable[Part], store: Store) -> list[Part]:
    return [part for part in parts if store.part_presence(part).state != State.COMPLETE]


def _known_files(parts: Iterable[Part], store: Store) -> Iterator[FileOfPart]:
    return ((part, file) for part in parts for file in store.files(part))


def _is_complete(store: Store, part: Part, file: PublishedFile) -> bool:
    return store.presence(part, file).state == State.COMPLETE


def _verify_existing(files: Iterable[FileOfPart], store: Store, progress: Progress) -> None:
    """Verify files that were not pulled here, or whose pull was killed before it could record them."""
    for part, file in files:
        if store.presence(part, file).state in (State.UNVERIFIED, State.WRONG_SIZE):
            path = store.path(part, file)
            try:
                sha256 = verify_file(path, file, str(path), progress, part.lookalike)
            except IntegrityError as exc:
                raise exc.with_advice("delete it, and pull again") from exc
            store.mark_verified(part, file, sha256)


def _resolve(part: Part, store: Store, progress: Progress, delays_s: Sequence[float]) -> None:
    """Ask the hub about the missing files and record its answer."""

    def describe(path: str, revision: str) -> PublishedFile:
        return with_retries(lambda: hub.describe_file(part, path, revision), delays_s, progress.note)

    if not store.files(part):
        commit, paths = with_retries(lambda: hub.list_files(part), delays_s, progress.note)
        store.remember(part, [describe(path, commit) for path in paths])
        return
    lacking = [file for file in store.files(part) if not _is_complete(store, part, file)]
    found = [describe(file.path, file.commit or part.revision) for file in lacking]
    store.remember(part, [_agreed(part, *pair) for pair in zip(lacking, found, strict=True)])


def _agreed(part: Part, expected: PublishedFile, found: PublishedFile) -> PublishedFile:
    """Combine what the registry and the hub say. Raises IntegrityError if the hub has a different file."""
    name = f"{part.name_of(expected)} on the hub"
    advice = "it was replaced there; a newer version of this server may know it"
    if found.size_bytes != expected.size_bytes:
        raise SizeError.of(name, expected.size_bytes, found.size_bytes).with_advice(advice)
    if expected.sha256 and found.sha256 and found.sha256 != expected.sha256:
        raise HashError.of(name, "sha256", expected.sha256, found.sha256, part.lookalike).with_advice(advice)
    return replace(found, sha256=expected.sha256 or found.sha256)
