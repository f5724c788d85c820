"""`ltx23 enhancer`: SGLang's own environment. This module parses and prints; `enhancer.sglang_install` installs."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enhancer.errors import InstallError
from enhancer.sglang_install import DEFAULT_FOLDER, REQUIREMENT, Installation, install
from server.commands.subcommands import INTERRUPTED, Subcommand, add_subcommands
from weights.licenses import ENHANCER_LICENSES


def enhancer(*, enhancer_command: str, **options: Any) -> int:
    try:
        return COMMANDS[enhancer_command].run(**options)
    except InstallError as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ltx23: interrupted; the next installation begins anew", file=sys.stderr)
        return INTERRUPTED


def add_commands(parser: argparse.ArgumentParser) -> None:
    add_subcommands(parser, "enhancer_command", COMMANDS)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", type=Path, default=DEFAULT_FOLDER, help=f"folder of SGLang (default: {DEFAULT_FOLDER})"
    )


def _add_install(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    parser.add_argument(
        "--python", default=sys.executable, metavar="PYTHON", help="Python that SGLang will run on (default: this one)"
    )
    parser.add_argument(
        "--requirement", default=REQUIREMENT, help=f"requirement that pip installs (default: {REQUIREMENT})"
    )


def _open(folder: Path) -> Installation:
    return Installation(folder.expanduser().absolute())


def _install(*, dir: Path, python: str, requirement: str) -> int:
    installation = _open(dir)
    is_new = install(installation, requirement, python)
    if is_new:
        print("The models have licences of their own, and are fetched when the server first runs them:")
        for license in ENHANCER_LICENSES:
            print(f"  {license}")
    print(f"{requirement} is {'installed' if is_new else 'installed already'} in {installation.folder}")
    return 0


def _where(*, dir: Path) -> int:
    installation = _open(dir)
    if installation.requirement is None:
        raise InstallError(f"SGLang is not installed in {installation.folder}: ltx23 enhancer install")
    print(installation.python)
    return 0


COMMANDS: Mapping[str, Subcommand] = {
    "install": Subcommand("install SGLang, which rewrites prompts, into its own environment", _add_install, _install),
    "where": Subcommand("print the path of the Python that has SGLang", _add_folder, _where),
}
