"""Start what was built as a container would, use it, and stop it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.try_image.build import Image, Step
from deploy.try_image.sandbox import service_command, without_rights

KEY = "try-image"
START_S, STOP_S = 600.0, 30.0


class ServiceError(Exception):
    """The server does not do what an image promises."""


@dataclass(frozen=True)
class Service:
    """A running server. pid: of its process, as this machine sees it."""

    image: Image
    process: "subprocess.Popen[bytes]"
    pid: int
    environment: Mapping[str, str]

    def execute(self, *command: str) -> None:
        """Run a command in the server's root and network as its user, as `docker exec` does. Raises ServiceError."""
        namespaces = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root", "--wd"]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        self._run([*namespaces, "env", "-i", *variables, *without_rights(self.image.user), *command])

    def ask(self, *command: str) -> None:
        """Run a module of this folder in the server's network. Raises ServiceError."""
        self._run(["nsenter", "--target", str(self.pid), "--net", sys.executable, "-P", "-m", *command])

    def wait_until_ready(self) -> None:
        """Wait until a request would be served. Raises ServiceError if the server ends before, or takes too long."""
        end_s = time.monotonic() + START_S
        while True:
            try:
                self.ask("deploy.try_image.ask", "ready")
                return
            except ServiceError as exc:
                if self.process.poll() is not None:
                    raise ServiceError(f"it ended with {self.process.returncode} before it was ready") from exc
                if time.monotonic() > end_s:
                    raise ServiceError(f"it is not ready after {START_S:g} s") from exc
            time.sleep(0.2)

    def stop(self) -> None:
        """Send SIGTERM and wait for a clean end. Raises ServiceError."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            returncode = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired as exc:
            raise ServiceError(f"it still runs {STOP_S:g} s after SIGTERM") from exc
        if returncode:
            raise ServiceError(f"it ended with {returncode} after SIGTERM")

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"{' '.join(command)}\n{done.stdout}{done.stderr}".strip())


@contextmanager
def running(image: Image, root: Path, work: Path) -> Iterator[Service]:
    """Run the image's command as its user, with a read-only root and its volumes."""
    volumes = {target: _copy_of(root, target, work / "volumes") for target in image.volumes}
    environment = {**image.environment, "LTX23_API_KEYS": KEY}
    reader, writer = os.pipe()
    command = service_command(
        root, [*image.entrypoint, *image.command], image.folder, environment, image.user, volumes, writer
    )
    with (work / "server.log").open("wb") as log, os.fdopen(reader) as info:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer])
        os.close(writer)
        try:
            yield Service(image, process, json.loads(info.read() or '{"child-pid": 0}')["child-pid"], environment)
        finally:
            process.kill()
            process.wait()


def _copy_of(root: Path, target: str, folder: Path) -> Path:
    """Return a volume with what the image has at `target`, and its owner and mode."""
    source, volume = root / target.lstrip("/"), folder / target.strip("/")
    shutil.copytree(source, volume)
    status = source.stat()
    os.chown(volume, status.st_uid, status.st_gid)
    volume.chmod(status.st_mode)
    return volume


def use(image: Image, root: Path, work: Path) -> Iterator[Step]:
    """Start the server, have it render a clip, check its health and stop it; yield each step. Raises ServiceError."""
    clip = work / "clip.mp4"
    with running(image, root, work) as service:
        actions = {
            "ready, offline, read-only, as " + image.user: service.wait_until_ready,
            "the page and its files": lambda: service.ask("deploy.try_image.ask", "page"),
            "a clip of 256x256 with 9 frames": lambda: service.ask("deploy.try_image.ask", "clip", str(clip)),
            "HEALTHCHECK": lambda: service.execute(*image.healthcheck),
            "stopped by SIGTERM": service.stop,
        }
        for name, action in actions.items():
            start = time.monotonic()
            action()
            yield Step(name, time.monotonic() - start)
