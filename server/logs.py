"""How log lines look: for people, or one JSON object each. The server and its worker write to the same stderr."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# The attribute of a record that holds what a program may want to read of it.
FACTS = "facts"

WORD = re.compile(r"[!#-<>-~]+")


class TextFormatter(logging.Formatter):
    """Facts follow the message, as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s:     %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        words = (f"{name}={_word(value)}" for name, value in _flat(getattr(record, FACTS, {})))
        return " ".join([super().formatMessage(record), *words])


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def _word(value: Any) -> str:
    """In ASCII, and quoted where there is more than a word: nobody's prompt ends the line and begins another."""
    text = str(value)
    return text if WORD.fullmatch(text) else json.dumps(text)


class JsonFormatter(logging.Formatter):
    """Facts stand beside the message, and have no names of their own that hide what every line has."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            **getattr(record, FACTS, {}),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str, log_format: str) -> None:
    """log_format: `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # A line for each rewrite, with its address.
    logging.getLogger("httpx2").setLevel(max(logging.WARNING, logging.getLevelName(level)))
