"""Commands that have subcommands of their own: `ltx23 weights`, `ltx23 enhancer`."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# The exit code that a shell reports for a command ended by Ctrl-C.
INTERRUPTED = 130


@dataclass(frozen=True)
class Subcommand:
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., int]


def add_subcommands(parser: argparse.ArgumentParser, dest: str, subcommands: Mapping[str, Subcommand]) -> None:
    """Add a parser for each; `dest` is the argument that gets the name of the one that was chosen."""
    subparsers = parser.add_subparsers(dest=dest, required=True, metavar="COMMAND")
    for name, subcommand in subcommands.items():
        subcommand.add_arguments(subparsers.add_parser(name, help=subcommand.help, description=subcommand.help))
