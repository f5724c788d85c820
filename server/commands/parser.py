"""An argument parser that names the nearest option, command or value where one is mistyped."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from server.commands.nearest import did_you_mean


class Parser(argparse.ArgumentParser):
    """Its subparsers do the same. An error is one line, because the usage of some commands fills the screen."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        words = sys.argv[1:] if args is None else list(args)
        # Before argparse says what is missing, which may be what is mistyped.
        for name in self._option_names(words):
            if not any(known.startswith(name) for known in self._option_string_actions):
                self.error(f"unknown option {name}{did_you_mean(name, self._option_string_actions)}")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ltx23: error: {message} (see {self.prog} --help)\n")

    def _option_names(self, words: Sequence[str]) -> Iterator[str]:
        """Yield what is an option of this parser, or should be; those after a command are that command's."""
        if self._subparsers is not None:
            words = list(takewhile(lambda word: word.startswith("-"), words))
        for word in takewhile(lambda word: word != "--", words):
            if word.startswith("--") and " " not in word:
                yield word.partition("=")[0]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        is_command = isinstance(action, argparse._SubParsersAction)
        what = f"unknown command {value}" if is_command else f"unknown value {value} of {self._name(action)}"
        self.error(what + (did_you_mean(str(value), known) or f": it may be {', '.join(known)}"))

    @staticmethod
    def _name(action: argparse.Action) -> str:
        return "/".join(action.option_strings) or str(action.metavar or action.dest)
