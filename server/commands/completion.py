"""`ltx23 completion SHELL`: the script that completes the command in a shell."""

import argparse
from collections.abc import Iterator

import shtab

FILES, FOLDERS = frozenset({"FILE", "PATH", "FILE.svg"}), frozenset({"DIR", "FOLDER"})


def completion(parser: argparse.ArgumentParser, shell: str) -> int:
    for action in _actions(parser):
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
