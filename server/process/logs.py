"""Format log lines as text or JSON. The server and its worker write to the same stderr."""

import json
import logging
import math
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# The attribute of a log record that holds its machine-readable values.
FIELDS = "fields"

WORD = re.compile(r"[!#-<>-~]+")


class TextFormatter(logging.Formatter):
    """Write the message, then its fields as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s:     %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        words = (f"{name}={_word(value)}" for name, value in _flat(getattr(record, FIELDS, {})))
        return " ".join([super().formatMessage(record), *words])


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def _word(value: Any) -> str:
    """Return the value as ASCII, quoted unless it is a single word, so that no prompt can start a new log line."""
    text = str(value)
    return text if WORD.fullmatch(text) else json.dumps(text)


class JsonFormatter(logging.Formatter):
    """Write one JSON object per line. The record's fields cannot replace those that every line has."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            **getattr(record, FIELDS, {}),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class OnceAMinute(logging.Filter):
    """Drop a message that its logger wrote less than a minute ago, regardless of its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._written_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        is_due = record.created - self._written_at.get(record.msg, -math.inf) >= 60
        if is_due:
            self._written_at[record.msg] = record.created
        return is_due


def configure_logging(level: str, log_format: str) -> None:
    """Log to stderr. log_format: `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # It warns about each form that it cannot parse; the client gets an error already.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # httpx logs a line with the address for each rewrite.
    logging.getLogger("httpx2").setLevel(max(logging.WARNING, logging.getLevelName(level)))
