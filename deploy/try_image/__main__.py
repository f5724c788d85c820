"""Try an image without a Docker engine: run its steps in a fresh root, and start the server there."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from deploy.try_image.base import BaseError
from deploy.try_image.build import Builder, Options, Step, StepError
from deploy.try_image.context import CopyError
from deploy.try_image.dockerfile import DockerfileError, read_dockerfile
from deploy.try_image.sandbox import Mount
from deploy.try_image.service import ServiceError, use

CONTEXT = Path(__file__).parents[2]
# The Debian packages that have the programs.
PROGRAMS = {
    **{"debootstrap": "debootstrap", "bwrap": "bubblewrap", "ffprobe": "ffmpeg"},
    **dict.fromkeys(("mount", "umount", "unshare", "nsenter"), "util-linux"),
}
SHOWN_COLUMNS = 76


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("deploy/try-image", description=__doc__)
    add = parser.add_argument
    add("--file", type=Path, default=CONTEXT / "Dockerfile", help="(default: Dockerfile)")
    add("--target", help="the stage to build (default: the last)")
    pairs: dict[str, Any] = {"type": pair, "action": "append", "default": [], "metavar": "NAME=VALUE"}
    add("--build-arg", **pairs, help="as in Docker")
    add("--suite", help="Debian's or Ubuntu's release to use for every image (default: the image's own)")
    add("--mirror", help="where debootstrap fetches packages (default: its own)")
    add("--env", **pairs, help="an environment variable for the steps alone")
    mounts: dict[str, Any] = {"type": mount, "action": "append", "default": [], "metavar": "SOURCE:TARGET"}
    add("--mount", **mounts, help="a file or folder that the steps alone can read, such as pip's configuration")
    add("--work", type=Path, help="a folder for the layers and logs, which is kept (default: a temporary one)")
    return parser.parse_args(arguments)


def pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def mount(text: str) -> Mount:
    source, colon, target = text.partition(":")
    if not colon or not Path(source).exists():
        raise argparse.ArgumentTypeError(f"{text!r} is not SOURCE:TARGET with a source that exists")
    return Mount(Path(source).resolve(), target)


def show(step: Step) -> None:
    name = " ".join(step.name.split())
    name = name if len(name) <= SHOWN_COLUMNS else name[: SHOWN_COLUMNS - 3] + "..."
    seconds = f"{step.seconds:.1f}" if step.seconds else ""
    size = f"{step.size_bytes / 1e6:.1f}" if step.size_bytes else ""
    print(f"{name:<{SHOWN_COLUMNS}} {seconds:>7} {size:>8}".rstrip(), flush=True)


def main() -> int:
    options = parse(sys.argv[1:])
    if missing := [f"{name} ({package})" for name, package in PROGRAMS.items() if shutil.which(name) is None]:
        print(f"try-image: error: missing programs (packages): {', '.join(missing)}", file=sys.stderr)
        return 1
    try:
        if options.work is not None:
            options.work.mkdir(parents=True, exist_ok=True)
            return try_image(options, options.work.resolve())
        with tempfile.TemporaryDirectory(prefix="try-image-") as work:
            return try_image(options, Path(work))
    except (BaseError, CopyError, DockerfileError, StepError, ServiceError, CalledProcessError, OSError) as exc:
        print(f"try-image: error: {exc}", file=sys.stderr)
        return 1


def try_image(options: argparse.Namespace, work: Path) -> int:
    build_args = dict(options.build_arg)
    stages = read_dockerfile(options.file, build_args)
    chosen = Options(CONTEXT, build_args, options.suite, options.mirror, dict(options.env), options.mount)
    print(f"{'step':<{SHOWN_COLUMNS}} {'s':>7} {'MB':>8}")
    builder = Builder(stages, chosen, work, show)
    image = builder.build(options.target or stages[-1].name)
    with builder.layers.mounted(image.layers) as root:
        try:
            for step in use(image, root, work):
                show(step)
        except ServiceError as exc:
            log = (work / "server.log").read_text(errors="replace")
            raise ServiceError(f"{exc}\nthe server's log:\n{log}") from exc
    show(Step("the whole image", size_bytes=sum(map(builder.layers.size_bytes, image.layers))))
    for base, suite in builder.replaced.items():
        print(f"note: the steps after FROM {base} ran in {suite}")
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
