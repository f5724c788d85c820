"""Read the instructions of a Dockerfile: those that this repository uses, and no others."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEYWORDS = {
    *("FROM", "ARG", "RUN", "ENV", "COPY", "WORKDIR", "USER"),
    *("VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "LABEL"),
}
FROM = re.compile(r"(?P<image>\S+)(\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<plain>\w+))")


class DockerfileError(Exception):
    """The Dockerfile cannot be read; the message names the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction. text: what follows the keyword, with continued lines joined."""

    keyword: str
    text: str
    line: int

    def words(self) -> list[str]:
        """Return a JSON array's items, or the words that a shell would see."""
        if self.text.startswith("["):
            try:
                return [str(item) for item in json.loads(self.text)]
            except ValueError as exc:
                raise DockerfileError(f"line {self.line}: not a JSON array: {self.text}") from exc
        return shlex.split(self.text)

    def flags_and_words(self) -> tuple[dict[str, str], list[str]]:
        """Split off leading flags such as `--from=build`."""
        rest, flags = self.text, {}
        while match := re.match(r"--([\w-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        return flags, Instruction(self.keyword, rest, self.line).words()

    def pairs(self) -> dict[str, str]:
        """Return the names and values of ENV, ARG or LABEL; the value of an ARG without one is empty."""
        return {name: value for name, _, value in (word.partition("=") for word in self.words())}


@dataclass
class Stage:
    """What is built from one FROM. name: as given by AS, or empty."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


def read_dockerfile(path: Path, build_args: Mapping[str, str]) -> list[Stage]:
    """Return the stages. Raises DockerfileError.

    build_args: values for an ARG before the first FROM; those of a stage are resolved while it is built.
    """
    stages: list[Stage] = []
    values: dict[str, str] = {}
    for instruction in _instructions(path.read_text()):
        if instruction.keyword == "FROM":
            match = FROM.fullmatch(substitute(instruction, values).text)
            if match is None:
                raise DockerfileError(f"line {instruction.line}: write FROM IMAGE or FROM IMAGE AS NAME")
            stages.append(Stage(match["image"], match["name"] or ""))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            values |= {name: build_args.get(name, value) for name, value in instruction.pairs().items()}
        else:
            raise DockerfileError(f"line {instruction.line}: {instruction.keyword} before the first FROM")
    if not stages:
        raise DockerfileError("it has no FROM")
    return stages


def substitute(instruction: Instruction, values: Mapping[str, str]) -> Instruction:
    """Replace $NAME and ${NAME}; a name without a value is empty, as in Docker."""
    text = VARIABLE.sub(lambda match: values.get(match["braced"] or match["plain"], ""), instruction.text)
    return Instruction(instruction.keyword, text, instruction.line)


def _instructions(text: str) -> Iterator[Instruction]:
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        first = first if begun else number
        if line.rstrip().endswith("\\"):
            begun += line.rstrip().removesuffix("\\")
            continue
        keyword, _, rest = (begun + line).strip().partition(" ")
        if keyword.upper() not in KEYWORDS:
            raise DockerfileError(f"line {first}: {keyword} is not known here; known are {', '.join(sorted(KEYWORDS))}")
        yield Instruction(keyword.upper(), rest.strip(), first)
        begun = ""
    if begun:
        raise DockerfileError(f"line {first}: the last line continues")
