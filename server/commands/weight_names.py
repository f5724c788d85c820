"""What a weight setting may hold: a file, a folder, or a name of the registry, which is made a path here.

Knows the registry and the weights folder; opens no file. A setting is named like the role whose file it takes.
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
    """name, part: what the registry calls it and says of it; none where a path was given."""

    path: Path
    name: str = ""
    part: Part | None = None


def resolve_weights(settings: Settings, registry: Registry = REGISTRY) -> Settings:
    """The settings with paths in place of names, and what the named set of the checkpoint has beside it filled in.

    Raises SettingsError where a word is neither, or what it names is not whole in the weights folder.
    """
    chosen = choose_weights(settings, registry)
    validate_here(settings, chosen, registry)
    return settings.model_copy(update={role.value: choice.path for role, choice in chosen.items()})


def choose_weights(settings: Settings, registry: Registry = REGISTRY) -> dict[Role, Choice]:
    """By role, whether it is on the disk or not. Raises SettingsError where a word is neither a path nor a name."""
    store = Store(settings.weights_dir)
    given = {role: path for role in Role if (path := getattr(settings, role.value)) is not None}
    chosen = {role: _choose(role, path, store, registry) for role, path in given.items()}
    checkpoint = chosen.get(Role.CHECKPOINT)
    if checkpoint is None or checkpoint.part is None:
        return chosen
    parts = registry.find(checkpoint.name).parts
    needed = [part for part in parts if part.role != Role.UPSCALER or settings.stages == 2]
    return {part.role: Choice(store.path(part), checkpoint.name, part) for part in needed} | chosen


def validate_here(settings: Settings, chosen: Mapping[Role, Choice], registry: Registry = REGISTRY) -> None:
    """Raises SettingsError with the command that fetches what a name stands for, if it is not there."""
    for role, choice in chosen.items():
        if not is_here(settings, choice):
            assert choice.part is not None
            state = Store(settings.weights_dir).part_presence(choice.part).state
            told = f"there, but {state}" if state in (State.PARTIAL, State.WRONG_SIZE) else str(state)
            command = pull_command(settings, choice, chosen, registry)
            raise setting_error(role, f"{choice.name}: {choice.path} is {told}; fetch it with: {command}")


def is_here(settings: Settings, choice: Choice) -> bool:
    """A file that was never verified is. Of a path that was given nothing is asked before it is read."""
    return choice.part is None or Store(settings.weights_dir).part_presence(choice.part).state in USABLE


def names_of(role: Role, registry: Registry = REGISTRY) -> dict[str, Part]:
    """A set's name stands for what it has for the role."""
    parts = {weight_set.name: part for weight_set in registry.sets for part in weight_set.parts if part.role == role}
    return parts | (dict(registry.text_encoders) if role is Role.TEXT_ENCODER else {})


def pull_command(
    settings: Settings, choice: Choice, chosen: Mapping[Role, Choice], registry: Registry = REGISTRY
) -> str:
    """A text encoder of its own name comes with the set of the checkpoint, in place of that set's own."""
    sets = {weight_set.name for weight_set in registry.sets}
    checkpoint, encoder = chosen.get(Role.CHECKPOINT), chosen.get(Role.TEXT_ENCODER)
    named = [choice.name, checkpoint.name if checkpoint else "", registry.default.name]
    words = ["ltx23", "weights", "pull", next(name for name in named if name in sets)]
    if encoder and encoder.name in registry.text_encoders:
        words += ["--text-encoder", encoder.name]
    return shlex.join([*words, *weights_dir_words(settings.weights_dir)])


def weights_dir_words(weights_dir: Path) -> list[str]:
    """The option, where it is needed."""
    default: Path = Settings.model_fields["weights_dir"].default
    return [] if weights_dir == default.expanduser() else ["--weights-dir", str(weights_dir)]


def _choose(role: Role, path: Path, store: Store, registry: Registry) -> Choice:
    # Unlike Path.exists, this knows no PermissionError: that is for whoever reads the file.
    if os.path.exists(path):
        return Choice(path)
    names = names_of(role, registry)
    if (name := str(path)) in names:
        return Choice(store.path(names[name]), name, names[name])
    if len(path.parts) == 1 and path.suffix != ".safetensors":
        raise setting_error(role, f"{name!r} is no file and no folder here, and no name; names are {', '.join(names)}")
    return Choice(path)
