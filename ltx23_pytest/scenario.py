"""Write the rules of a scenario as the file that `--rehearsal-file` reads."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Scenario = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]


def write_scenario(path: Path, scenario: Scenario) -> None:
    """Write one rule or several. A text is a rule for every POST: its fault, such as `status=429; times=2`."""
    rules = [scenario] if isinstance(scenario, str | Mapping) else scenario
    text = "\n".join(_rule({"answer": rule} if isinstance(rule, str) else rule) for rule in rules)
    # A new file, because the server may be reading the old one.
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _rule(rule: Mapping[str, Any]) -> str:
    # Text, numbers and lists are written alike in JSON and in TOML.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in rule.items()]
    return "\n".join(["[[rules]]", *lines, ""])
