"""Build the stages of a Dockerfile in layers, step by step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from deploy.try_image.base import BaseError, make_base, suite_of
from deploy.try_image.context import CopyError, Ignored, copy
from deploy.try_image.dockerfile import DockerfileError, Instruction, Stage, substitute
from deploy.try_image.layers import Layers, run
from deploy.try_image.sandbox import NAME_SERVERS, PATH, ROOT, Mount, run_logged, step_command

# The last lines of a failed step's output, which are shown.
SHOWN_LINES = 30


class StepError(Exception):
    """A step has failed; the message has the end of its output."""


@dataclass(frozen=True)
class Options:
    """context: the folder that COPY reads. suite: used in place of each image's own.

    environment, mounts: what the steps need on this machine, and no image has.
    """

    context: Path
    build_args: Mapping[str, str] = field(default_factory=dict)
    suite: str | None = None
    mirror: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()


@dataclass(frozen=True)
class Image:
    """What has been built so far: layers, and how a container of them is started."""

    layers: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ROOT
    volumes: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One row of the report. size_bytes: of its layer; 0 if it has none."""

    name: str
    seconds: float = 0.0
    size_bytes: int = 0


class Builder:
    """Builds stages. work: an empty folder. on_step: called after each step that may take long or makes files."""

    def __init__(self, stages: Sequence[Stage], options: Options, work: Path, on_step: Callable[[Step], None]) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._options, self._work, self._on_step = options, work, on_step
        (work / "layers").mkdir()
        self.layers = Layers(work / "layers")
        self._ignored = Ignored.of(options.context)
        self._built: dict[str, Image] = {}
        self._bases: dict[str, str] = {}
        self.replaced: dict[str, str] = {}
        """The release that was used for an image in place of its own."""

    def build(self, name: str) -> Image:
        """Build a stage and those that it needs. Raises StepError, BaseError, CopyError or DockerfileError."""
        if name not in self._stages:
            raise DockerfileError(f"no stage is named {name}; named are {', '.join(filter(None, self._stages))}")
        if name not in self._built:
            self._built[name] = self._build(self._stages[name])
        return self._built[name]

    def _build(self, stage: Stage) -> Image:
        image = self._from(stage.base)
        args: dict[str, str] = {}
        for written in stage.instructions:
            # The shell replaces variables in a RUN.
            instruction = written if written.keyword == "RUN" else substitute(written, {**args, **image.environment})
            if instruction.keyword == "ARG":
                given = self._options.build_args
                args |= {name: given.get(name, default) for name, default in instruction.pairs().items()}
            else:
                image = self._apply(image, instruction, args)
        return image

    def _from(self, base: str) -> Image:
        if base == "scratch":
            return Image()
        if base in self._stages:
            return self.build(base)
        own = suite_of(base)
        suite = self._options.suite or own
        if suite is None:
            raise BaseError(f"FROM {base}: its name has no release; give one with --suite")
        if suite != own:
            self.replaced[base] = suite
        if suite not in self._bases:
            start, name = time.monotonic(), self.layers.create()
            make_base(suite, self._options.mirror, self.layers.path(name), self._work / "debootstrap.log")
            self._bases[suite] = name
            self._report(f"FROM {suite} (debootstrap)", start, name)
        return Image((self._bases[suite],), {"PATH": PATH})

    def _apply(self, image: Image, instruction: Instruction, args: Mapping[str, str]) -> Image:
        text, words = instruction.text, instruction.words
        match instruction.keyword:
            case "RUN":
                return self._change(image, instruction, lambda root: self._run(image, instruction, args, root))
            case "COPY":
                return self._change(image, instruction, self._copied(image, instruction))
            case "WORKDIR":
                return self._with_folders(replace(image, folder=str(PurePosixPath(image.folder) / text)), text)
            case "VOLUME":
                return self._with_folders(replace(image, volumes=(*image.volumes, *words())), *words())
            case "ENV":
                return replace(image, environment={**image.environment, **instruction.pairs()})
            case "USER":
                return replace(image, user=text)
            case "HEALTHCHECK":
                command = replace(instruction, text=text.partition("CMD ")[2].strip())
                return replace(image, healthcheck=tuple(command.words()))
            case "ENTRYPOINT":
                return replace(image, entrypoint=tuple(words()), command=())
            case "CMD":
                return replace(image, command=tuple(words()))
        return image

    def _change(self, image: Image, instruction: Instruction, change: Callable[[Path], None]) -> Image:
        """Add a layer with what `change` does to the root, and report it."""
        start, upper = time.monotonic(), self.layers.create()
        with self.layers.mounted(image.layers, upper) as root:
            change(root)
        self._report(f"{instruction.keyword} {instruction.text}", start, upper)
        return replace(image, layers=(*image.layers, upper))

    def _with_folders(self, image: Image, *folders: str) -> Image:
        upper = self.layers.create()
        with self.layers.mounted(image.layers, upper) as root:
            for folder in folders:
                (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return replace(image, layers=(*image.layers, upper))

    def _run(self, image: Image, instruction: Instruction, args: Mapping[str, str], root: Path) -> None:
        environment = {"HOME": "/root", **args, **image.environment, **self._options.environment}
        log = self._work / f"line-{instruction.line}.log"
        mounts = (NAME_SERVERS, *self._options.mounts)
        command = step_command(root, instruction.text, image.folder, environment, image.user, mounts)
        if not run_logged(command, log):
            last = "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
            raise StepError(f"line {instruction.line}: RUN {instruction.text}\n{last}")
        for mount in mounts:
            _remove_mount_point(root / mount.target.lstrip("/"))

    def _copied(self, image: Image, instruction: Instruction) -> Callable[[Path], None]:
        """Return what a COPY does to the root. A stage that it copies from is built before."""
        flags, (*sources, target) = instruction.flags_and_words()
        inside = str(PurePosixPath(image.folder) / target).lstrip("/")
        if unknown := flags.keys() - {"from"}:
            raise DockerfileError(f"line {instruction.line}: COPY --{unknown.pop()} is not known here")
        if "from" in flags:
            other = self.build(flags["from"])
            return lambda root: self._copy_from(other, sources, root / inside)
        context = self._options.context
        if not target.endswith("/") and any((context / source).is_file() for source in sources):
            raise CopyError(f"line {instruction.line}: end the folder that files are copied to with a slash")
        return lambda root: copy(context, self._ignored, sources, root / inside)

    def _copy_from(self, image: Image, sources: Sequence[str], folder: Path) -> None:
        """Copy the contents of folders from another stage, with their owners."""
        folder.mkdir(parents=True, exist_ok=True)
        with self.layers.mounted(image.layers, at="other") as other:
            for source in sources:
                run(["cp", "--archive", f"{other / source.lstrip('/')}/.", str(folder)])

    def _report(self, name: str, start: float, layer: str) -> None:
        self._on_step(Step(name, time.monotonic() - start, self.layers.size_bytes(layer)))


def _remove_mount_point(path: Path) -> None:
    """Remove what bubblewrap has created to mount something on."""
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
    elif path.is_file() and path.stat().st_size == 0:
        path.unlink()
