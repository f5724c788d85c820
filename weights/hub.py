"""Ask the Hugging Face hub and read its bytes. This is the only module that uses huggingface_hub.

The library provides the endpoint (HF_ENDPOINT), the token (HF_TOKEN or `hf auth login`), redirects, the offline mode
and the hub's words for errors. Its `hf_hub_download` is not used: it writes into a file with a random name and deletes
that on failure, so that no later process can resume; it compares sizes, never a sha256; and it only warns of too full
a disk. So the bytes are fetched here, by plain HTTP with a Range. That includes files that the hub stores in Xet, whose
own protocol cannot resume half a file either; over HTTP the hub serves up to 50 GB a file.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from weights.errors import AccessError, DownloadError, HubError, NotFoundError, SizeError, UnreachableError
from weights.registry import Part, PublishedFile

# Statuses, in addition to 5xx, that mean "later".
RETRIED_STATUSES = {408, 429}

SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_BLOB = re.compile(r"[0-9a-f]{40}")


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE=1 makes the library refuse every request."""
    from huggingface_hub.constants import is_offline_mode

    return is_offline_mode()


def list_files(part: Part) -> tuple[str, tuple[str, ...]]:
    """Return the commit of the part's revision and the paths of its files. Raises DownloadError."""
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    try:
        with _translated_errors(part):
            info = HfApi().model_info(part.repo, revision=part.revision, timeout=HF_HUB_ETAG_TIMEOUT)
    except (ValueError, KeyError) as exc:
        raise HubError(f"{part.repo}: the answer is not a hub's; check HF_ENDPOINT and proxies") from exc
    paths = tuple(sibling.rfilename for sibling in info.siblings or () if part.takes(sibling.rfilename))
    if info.sha is None or not paths:
        raise NotFoundError(f"{part.repo} at {part.revision} holds none of the files that a model's folder has")
    return info.sha, paths


def describe_file(part: Part, path: str, revision: str) -> PublishedFile:
    """Ask for a file's size, hash and commit. Raises DownloadError."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    with _translated_errors(part, path, revision):
        url = hf_hub_url(part.repo, path, revision=revision)
        metadata = get_hf_file_metadata(url, timeout=HF_HUB_ETAG_TIMEOUT)
    if metadata.size is None or metadata.commit_hash is None:
        raise HubError(f"{url}: the answer names no size or no commit; check HF_ENDPOINT and proxies")
    etag = metadata.etag or ""
    return PublishedFile(
        path,
        metadata.size,
        sha256=etag if SHA256.fullmatch(etag) else None,
        git_blob=etag if GIT_BLOB.fullmatch(etag) else None,
        commit=metadata.commit_hash,
    )


@contextmanager
def open_file(part: Part, file: PublishedFile, offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open the file's bytes; they begin at `offset`, or at 0 if the server does not support ranges.

    Each call asks the hub for a new link, because links to its storage expire. Raises DownloadError, also while the
    bytes are read; SizeError if the file ends before `offset`.
    """
    from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, lazily exported

    revision = file.commit or part.revision
    # Length and range would refer to compressed bytes.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with _translated_errors(part, file.path, revision):
        url = hf_hub_url(part.repo, file.path, revision=revision)
        with get_session().stream("GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT) as response:
            if response.status_code == 416:
                raise SizeError.of(part.name_of(file), file.size_bytes, offset)
            hf_raise_for_status(response)
            yield offset if response.status_code == 206 else 0, response.iter_bytes()


@contextmanager
def _translated_errors(part: Part, path: str = "", revision: str = "") -> Iterator[None]:
    # The library's own HTTP client does not translate a dropped connection.
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as exc:
        raise _hub_error(exc, part, path, revision or part.revision) from exc
    except httpx2.RequestError as exc:
        raise UnreachableError(f"{part.repo}: the connection failed: {_first_line(exc) or type(exc).__name__}") from exc


def _hub_error(exc: Exception, part: Part, path: str, revision: str) -> DownloadError:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    assert isinstance(exc, HfHubHTTPError)
    status = exc.response.status_code
    reason = f"{status} {exc.response.reason_phrase}".strip()
    # Behind the hub's redirect it means an expired link to its storage, not a missing permission.
    is_storage = exc.response.history and exc.response.url.netloc != exc.response.history[0].url.netloc
    if status in RETRIED_STATUSES or status >= 500 or is_storage:
        return UnreachableError(f"{part.repo}: the hub answered {reason}")
    wanted = f" (wanted: {path})" if path else ""
    match exc:
        case GatedRepoError():
            return AccessError(f"{part.repo} is gated: open {part.page} and accept its licence, then log in with "
                               "`hf auth login` or set HF_TOKEN")  # fmt: skip
        case RevisionNotFoundError():
            return NotFoundError(f"{part.repo} has no revision {revision!r}{wanted}")
        case RemoteEntryNotFoundError():
            return NotFoundError(f"{part.repo} has no file {path!r} at revision {revision!r}")
        case RepositoryNotFoundError():
            return NotFoundError(f"{part.repo} at revision {revision!r} is not there, or is private{wanted}")
    if status in (401, 403):
        said = exc.server_message or reason
        return AccessError(f"{part.repo}: the hub refuses access ({_first_line(said)}): log in again with "
                           f"`hf auth login` or correct HF_TOKEN, and see {part.page}")  # fmt: skip
    return HubError(f"{part.repo}: the hub answered {reason} at revision {revision!r}{wanted}")


def _first_line(message: object) -> str:
    return str(message).strip().split("\n")[0]
