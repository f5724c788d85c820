"""A Hugging Face hub on loopback, with its storage on another port, which fails as a test tells it to."""

import hashlib
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
MODEL_INFO = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>[^/?]+)")

# Stored in git itself: the hub has a git hash for these, and a sha256 for all other files.
SMALL_FILES = (".json", ".md", ".jinja")


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repo:
    commits: dict[str, dict[str, bytes]]
    main: str
    needs_token: str | None = None
    """The only token that has accepted the licence of a gated repository."""

    claims: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Size and sha256 that the hub states for a path, in place of the true ones."""


@dataclass(frozen=True)
class Fault:
    """The fault of one answer; by default there is none."""

    status: int | None = None
    body: bytes | None = None
    """Content to send, with its length, in place of the file."""

    cut_after: int | None = None
    """Break the connection after this many bytes."""

    hold: bool = False
    """Send nothing before `Hub.release` is set."""

    ignores_range: bool = False


@dataclass(frozen=True)
class Seen:
    server: str
    method: str
    path: str
    range: str | None
    authorization: str | None


class Hub:
    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.seen: list[Seen] = []
        self.release = threading.Event()
        self._faults: dict[tuple[str, str], deque[Fault]] = {}
        self._arrivals = threading.Condition()

    def misbehave(self, method: str, path: str, *faults: Fault) -> None:
        """Give the next answers to `method` for the file `path` these faults, one each."""
        self._faults.setdefault((method, path), deque()).extend(faults)

    def next_fault(self, method: str, path: str) -> Fault:
        faults = self._faults.get((method, path))
        return faults.popleft() if faults else Fault()

    def arrived(self, seen: Seen) -> None:
        with self._arrivals:
            self.seen.append(seen)
            self._arrivals.notify_all()

    def wait_for_gets(self, path: str, count: int) -> str | None:
        """Wait until the file has been requested `count` times; return the range of the last request."""
        with self._arrivals:
            assert self._arrivals.wait_for(lambda: len(self.gets(path)) >= count, timeout=60)
        return self.gets(path)[count - 1].range

    def gets(self, path: str) -> list[Seen]:
        """Return the requests for the file's bytes, without redirects."""
        return [seen for seen in self.seen if (seen.method, seen.path) == ("GET", path) and seen.server != "redirect"]

    def find(self, repo_name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        repo = self.repos[repo_name]
        commit = repo.main if revision == "main" else revision
        files = repo.commits.get(commit)
        return None if files is None else (commit, files)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(self.path)
        if match := RESOLVE.fullmatch(path):
            self._resolve(**match.groupdict())
        elif match := MODEL_INFO.match(path):
            self._model_info(**match.groupdict())
        else:
            self._send(404, b"<html>no such page</html>", {"Content-Type": "text/html"})

    def _model_info(self, repo: str, revision: str) -> None:
        self._see("hub", repo)
        fault = self.hub.next_fault("GET", repo)
        if fault.status is not None or fault.body is not None:
            self._send(fault.status or 200, fault.body or b"")
        elif found := self._find(repo, revision):
            commit, files = found
            info: dict[str, Any] = {"id": repo, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
            self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _find(self, repo_name: str, revision: str, is_content: bool = False) -> tuple[str, dict[str, bytes]] | None:
        """Return the files of a revision, or None after a refusal."""
        repo = self.hub.repos.get(repo_name)
        if repo is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
            return None
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token == "hf_expired":
            self._refuse(401, None, "Invalid credentials in Authorization header")
            return None
        if is_content and repo.needs_token not in (None, token):
            self._refuse(403 if token else 401, "GatedRepo", f"Access to model {repo_name} is restricted.")
            return None
        found = self.hub.find(repo_name, revision)
        if found is None:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
        return found

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        is_small = path.endswith(SMALL_FILES)
        is_content = is_small or self.server.is_storage
        self._see("storage" if self.server.is_storage else "hub" if is_content else "redirect", path)
        fault = self.hub.next_fault(self.command, path) if is_content or self.command == "HEAD" else Fault()
        if fault.status is not None:
            self._send(fault.status, b"")
        elif self.server.is_storage:
            self._send_file(self.hub.repos[repo].commits[revision][path], {}, fault)
        elif (found := self._find(repo, revision, is_content=True)) is None:
            return
        elif path not in found[1]:
            self._refuse(404, "EntryNotFound", "Entry not found")
        elif is_small:
            commit, files = found
            headers = {"X-Repo-Commit": commit, "ETag": f'"{git_blob(files[path])}"'}
            self._send_file(files[path], headers, fault)
        else:
            self._redirect(repo, *found, path)

    def _redirect(self, repo: str, commit: str, files: dict[str, bytes], path: str) -> None:
        """Redirect to the storage, with the headers of a file in Xet, which clients have to ignore."""
        content = files[path]
        true = (len(content), hashlib.sha256(content).hexdigest())
        size_bytes, sha256 = self.hub.repos[repo].claims.get(path, true)
        headers = {
            "Location": f"{self.server.storage_url}/{repo}/resolve/{commit}/{path}",
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(size_bytes),
            "X-Linked-Etag": f'"{sha256}"',
            "X-Xet-Hash": "0" * 64,
            "Link": f'<{self.server.storage_url}/xet>; rel="xet-auth"',
        }
        self._send(302, b"", headers)

    def _send_file(self, content: bytes, headers: dict[str, str], fault: Fault) -> None:
        if fault.hold:
            self.hub.release.wait()
        content = fault.body if fault.body is not None else content
        status, start = 200, 0
        if (wanted := self.headers["Range"]) and not fault.ignores_range:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            headers = headers | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            status = 206 if start < len(content) else 416
        self._send(status, content[start:], headers, fault.cut_after)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, cut_after: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut_after])
        if cut_after is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _refuse(self, status: int, code: str | None, message: str) -> None:
        headers = {"X-Error-Message": message}
        self._send(status, b"", headers | {"X-Error-Code": code} if code else headers)

    def _see(self, server: str, path: str) -> None:
        self.hub.arrived(Seen(server, self.command, path, self.headers["Range"], self.headers["Authorization"]))

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: Hub, storage_url: str | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub, self.storage_url, self.is_storage = hub, storage_url, storage_url is None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: clients that are killed or disconnect are expected."""


@contextmanager
def run_hub(hub: Hub) -> Iterator[str]:
    """Run the hub and its storage; yield the hub's URL."""
    with Server(hub, None) as storage, Server(hub, storage.url) as front:
        threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in (storage, front)]
        for thread in threads:
            thread.start()
        try:
            yield front.url
        finally:
            hub.release.set()
            for server, thread in zip((storage, front), threads, strict=True):
                server.shutdown()
                thread.join()
