"""`ltx23 weights`: list, fetch and verify weights, and plan memory. Each subcommand is a row in COMMANDS."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from server.commands.setting_options import add_setting_options
from server.commands.subcommands import INTERRUPTED, Subcommand, add_subcommands
from server.commands.weight_names import weights_dir_words
from server.settings import SettingsError, WeightSettings, load_settings
from weights.disk import FreeBytes, format_bytes, free_bytes
from weights.errors import WeightsError
from weights.inspect import inspect
from weights.progress import Progress
from weights.registry import REGISTRY, Part, Registry, WeightSet
from weights.retry import DELAYS_S
from weights.store import State, Store, combine


@dataclass(frozen=True)
class Dependencies:
    """The registry, retry delays and free space that the subcommands use. Tests use a smaller one."""

    registry: Registry = REGISTRY
    delays_s: Sequence[float] = DELAYS_S
    free: FreeBytes = free_bytes


def weights(*, weights_command: str, dependencies: Dependencies | None = None, **options: Any) -> int:
    try:
        return COMMANDS[weights_command].run(dependencies or Dependencies(), **options)
    except BrokenPipeError:  # the reader of stdout has closed it, as `head` does
        return 1
    except (WeightsError, SettingsError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ltx23: interrupted; what has arrived is kept", file=sys.stderr)
        return INTERRUPTED


def add_commands(parser: argparse.ArgumentParser) -> None:
    add_subcommands(parser, "weights_command", COMMANDS)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    add_setting_options(parser, WeightSettings, only=("weights_dir",))


def _add_set(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(weight_set.name for weight_set in REGISTRY.sets)
    parser.add_argument("set_name", nargs="?", metavar="SET", help=f"{names} (default: {REGISTRY.default.name})")
    encoders = ", ".join(REGISTRY.text_encoders)
    parser.add_argument("--text-encoder", metavar="NAME", help=f"in place of the set's own: {encoders}")
    _add_folder(parser)


def _open_store(weights_dir: str | None) -> Store:
    return Store(load_settings(weights_dir=weights_dir).weights_dir)


def _list(dependencies: Dependencies, *, weights_dir: str | None) -> int:
    store = _open_store(weights_dir)
    print(f"in {store.root}:")
    for weight_set in dependencies.registry.sets:
        default = " (default)" if weight_set is dependencies.registry.default else ""
        state = combine(store.part_presence(part) for part in weight_set.parts).state
        print(f"\n{weight_set.name}{default}: {weight_set.summary}\n  {state}, {_size(weight_set.parts)} in all")
        for part in weight_set.parts:
            _print_part(store, part, part.role)
    print("\nwith --text-encoder NAME:")
    for name, part in dependencies.registry.text_encoders.items():
        _print_part(store, part, name)
        licence = f"accept its licence at {part.page}" if part.is_gated else ""
        print(" " * 18 + "; ".join(text for text in (part.note, licence) if text))
    return 0


def _print_part(store: Store, part: Part, label: str) -> None:
    presence = store.part_presence(part)
    is_partial = presence.state == State.PARTIAL
    state = f"{format_bytes(presence.on_disk_bytes)} of it" if is_partial else str(presence.state)
    print(f"  {label:<16}{state:<14}{_size([part]):>15}  {part.name}{' (gated)' if part.is_gated else ''}")


def _size(parts: Sequence[Part]) -> str:
    known = [part.size_bytes for part in parts if part.size_bytes is not None]
    if len(known) < len(parts):
        return f"over {format_bytes(sum(known))}" if known else "size not known"
    about = "" if all(part.file for part in parts) else "about "
    return about + format_bytes(sum(known))


def _pull(
    dependencies: Dependencies, *, set_name: str | None, text_encoder: str | None, weights_dir: str | None
) -> int:
    from weights.download import pull

    weight_set, store = dependencies.registry.find(set_name, text_encoder), _open_store(weights_dir)
    with ConsoleProgress() as progress:
        pull(weight_set, store, progress, dependencies.delays_s, dependencies.free)
    print(f"{weight_set.name} is complete in {store.root}")
    return 0


def _verify(
    dependencies: Dependencies, *, set_name: str | None, text_encoder: str | None, weights_dir: str | None
) -> int:
    from weights.verify import verify_set

    weight_set, store = dependencies.registry.find(set_name, text_encoder), _open_store(weights_dir)
    failures = 0
    with ConsoleProgress() as progress:
        for verdict in verify_set(weight_set, store, progress):
            progress.close()
            print(f"bad: {verdict.error}" if verdict.error else f"ok: {verdict.path}", flush=True)
            failures += verdict.error is not None
    if failures:
        advice = "delete what is bad, and pull the set again"
        print(f"ltx23: error: {failures} bad in {weight_set.name}: {advice}", file=sys.stderr)
    return 1 if failures else 0


def _where(
    dependencies: Dependencies, *, set_name: str | None, text_encoder: str | None, weights_dir: str | None
) -> int:
    weight_set, store = dependencies.registry.find(set_name, text_encoder), _open_store(weights_dir)
    for part in weight_set.parts:
        print(f"{part.role:<16}{store.path(part)}")
    print(f"\n{serve_command(weight_set, store, text_encoder)}")
    if lacking := [part.role for part in weight_set.parts if store.part_presence(part).state != State.COMPLETE]:
        print(f"ltx23: note: not complete there: {', '.join(lacking)}", file=sys.stderr)
    return 0


def serve_command(weight_set: WeightSet, store: Store, text_encoder: str | None = None) -> str:
    words = ["ltx23", "serve", "--checkpoint", weight_set.name]
    encoder = ["--text-encoder", text_encoder] if text_encoder else []
    return shlex.join([*words, *encoder, *weights_dir_words(store.root)])


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Plan from headers and settings. Missing parts use their published sizes. Without SET and --checkpoint, the "
        "default set is planned."
    )
    names = ", ".join(weight_set.name for weight_set in REGISTRY.sets)
    parser.add_argument("set_name", nargs="?", metavar="SET", help=f"{names}: short for --checkpoint SET")
    add_setting_options(parser, WeightSettings, without=("devices", "cache_dir", "encoder", "pull"))


def _plan(dependencies: Dependencies, **options: Any) -> int:
    from server.commands.plan import plan

    return plan(dependencies.registry, **options)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a .safetensors file or a diffusers folder; no tensor is read",
    )


def _inspect(dependencies: Dependencies, *, file: Path) -> int:
    found = inspect(file)
    print(f"{found.path}: {found.generation or 'no LTX transformer'}; {found.layout}")
    print(f"  architecture: {'from its config' if found.has_config else 'from its shapes: it has no config'}")
    if found.looks_dev:
        print(f"  looks like the dev checkpoint, which this server does not run: {found.looks_dev}")
    for dtype, (count, size_bytes) in found.dtypes.items():
        print(f"  {dtype:<8} {count:>6,} tensors {format_bytes(size_bytes):>10}")
    if found.path.is_dir():
        print(f"  holds: {', '.join(found.holds)}")
        for folder in found.missing:
            print(f"  lacks: {folder}")
    for option in found.needs:
        print(f"  needs beside it: {option}")
    return 0


def _add_vae(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="a .safetensors file that holds the video VAE, or a diffusers folder (default: the tiny model)",
    )
    add_setting_options(parser, WeightSettings, only=("cache_dir",))


def _fit_preview(dependencies: Dependencies, *, file: Path | None, cache_dir: str | None) -> int:
    from server.commands.fit_preview import fit_preview

    return fit_preview(file, cache_dir)


COMMANDS: dict[str, Subcommand] = {
    "list": Subcommand("list the published sets and which parts are on this machine", _add_folder, _list),
    "pull": Subcommand("fetch the missing parts of a set", _add_set, _pull),
    "verify": Subcommand("compare every byte of a set with the published sha256", _add_set, _verify),
    "where": Subcommand("print the paths of a set and the command that serves it", _add_set, _where),
    "plan": Subcommand("show where a model's parts would be in memory, and which clips fit", _add_plan, _plan),
    "fit-preview": Subcommand("fit the previews of a render to a video VAE, beforehand", _add_vae, _fit_preview),
    "inspect": Subcommand("say what a weight file or a diffusers folder is", _add_file, _inspect),
}


class ConsoleProgress(Progress):
    """A progress bar per file on a terminal; events are always printed as lines."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> "ConsoleProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, activity: str, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        self.close()
        self._bar = tqdm(
            desc=f"{activity} {Path(name).name}",
            total=total_bytes,
            initial=done_bytes,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
            file=sys.stderr,
        )

    def advance(self, count_bytes: int) -> None:
        self._bar.update(count_bytes)

    def note(self, sentence: str) -> None:
        self.close()
        print(f"ltx23: {sentence}", file=sys.stderr, flush=True)

    def arrived(self, name: str, size_bytes: int) -> None:
        self.close()
        print(f"{name}: {format_bytes(size_bytes)}, verified", flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
