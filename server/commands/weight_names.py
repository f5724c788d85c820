"""Turn the names that weight settings may hold, instead of a file or a folder, into paths.

Uses the registry and the weights folder, and opens no files. Each setting has the name of the role whose file it takes.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.settings import Settings, setting_error
from weights.registry import REGISTRY, Part, Registry, Role
from weights.store import State, Store

USABLE = {State.COMPLETE, State.UNVERIFIED}


@dataclass(frozen=True)
class Choice:
    """A path, with its `name` and `part` in the registry unless the path itself was given."""

    path: Path
    name: str = ""
    part: Part | None = None


def resolve_weights(settings: Settings, registry: Registry = REGISTRY) -> Settings:
    """Return the settings with paths instead of names. A named checkpoint also fills in the other parts of its set.

    Raises SettingsError if a word is neither a path nor a name, or if the files are not complete in the weights folder.
    """
    chosen = choose_weights(settings, registry)
    validate_present(settings, chosen, registry)
    return with_paths(settings, chosen)


def with_paths(settings: Settings, chosen: Mapping[Role, Choice]) -> Settings:
    return settings.model_copy(update={role.value: choice.path for role, choice in chosen.items()})


def choose_weights(settings: Settings, registry: Registry = REGISTRY) -> dict[Role, Choice]:
    """Return the choices by role, on the disk or not. Raises SettingsError if a word is neither a path nor a name."""
    store = Store(settings.weights_dir)
    given = {role: path for role in Role if (path := getattr(settings, role.value)) is not None}
    chosen = {role: _choose(role, path, store, registry) for role, path in given.items()}
    checkpoint = chosen.get(Role.CHECKPOINT)
    if checkpoint is None or checkpoint.part is None:
        return chosen
    parts = registry.find(checkpoint.name).parts
    needed = [part for part in parts if part.role != Role.UPSCALER or settings.stages == 2]
    return {part.role: Choice(store.path(part), checkpoint.name, part) for part in needed} | chosen


def validate_present(settings: Settings, chosen: Mapping[Role, Choice], registry: Registry = REGISTRY) -> None:
    """Raise SettingsError with the command that fetches the files of a name, if they are not on the disk."""
    for role, choice in chosen.items():
        if not is_present(settings, choice):
            assert choice.part is not None
            state = Store(settings.weights_dir).part_presence(choice.part).state
            described = f"there, but {state}" if state in (State.PARTIAL, State.WRONG_SIZE) else str(state)
            command = pull_command(settings, choice, chosen, registry)
            raise setting_error(role, f"{choice.name}: {choice.path} is {described}; fetch it with: {command}")


def missing_names(settings: Settings, chosen: Mapping[Role, Choice]) -> dict[Role, str]:
    """Return the names, by role, whose files are not complete in the weights folder."""
    return {role: choice.name for role, choice in chosen.items() if not is_present(settings, choice)}


def is_present(settings: Settings, choice: Choice) -> bool:
    """Return whether the files of a name are on the disk, verified or not.

    A path that was given always counts as here; it is checked when it is read.
    """
    return choice.part is None or Store(settings.weights_dir).part_presence(choice.part).state in USABLE


def pull_command(
    settings: Settings, choice: Choice, chosen: Mapping[Role, Choice], registry: Registry = REGISTRY
) -> str:
    """Return the command that fetches `choice`.

    A text encoder with a name of its own is fetched with the checkpoint's set, in place of that set's text encoder.
    """
    sets = {weight_set.name for weight_set in registry.sets}
    checkpoint, encoder = chosen.get(Role.CHECKPOINT), chosen.get(Role.TEXT_ENCODER)
    named = [choice.name, checkpoint.name if checkpoint else "", registry.default.name]
    words = ["ltx23", "weights", "pull", next(name for name in named if name in sets)]
    if encoder and encoder.name in registry.text_encoders:
        words += ["--text-encoder", encoder.name]
    return shlex.join([*words, *weights_dir_words(settings.weights_dir)])


def weights_dir_words(weights_dir: Path) -> list[str]:
    """Return the --weights-dir option, or nothing if the folder is the default."""
    default: Path = Settings.model_fields["weights_dir"].default
    return [] if weights_dir == default.expanduser() else ["--weights-dir", str(weights_dir)]


def _choose(role: Role, path: Path, store: Store, registry: Registry) -> Choice:
    # Unlike Path.exists, this never raises PermissionError; the code that reads the file reports it.
    if os.path.exists(path):
        return Choice(path)
    names = registry.names_of(role)
    if (name := str(path)) in names:
        return Choice(store.path(names[name]), name, names[name])
    if len(path.parts) == 1 and path.suffix != ".safetensors":
        raise setting_error(role, f"{name!r} is neither a file, a folder nor a name; names are {', '.join(names)}")
    return Choice(path)
