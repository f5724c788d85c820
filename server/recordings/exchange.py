"""The format of a recording, version 1: one JSON object a line in `exchanges.jsonl`, and the bodies as files.

docs/recordings.md describes it. A change that an older reader cannot read needs another version.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

VERSION: Literal[1] = 1
INDEX = "exchanges.jsonl"
BODIES = "bodies"

End = Literal["complete", "cut"]
Pairs = list[tuple[str, str]]


class StoredBody(BaseModel):
    """A body in a file, named by the SHA-256 of its bytes and a suffix for people."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(pattern=rf"^{BODIES}/[0-9a-f]{{64}}(\.[a-z0-9]{{1,8}})?$")]
    bytes: int


class RecordedRequest(BaseModel):
    """A request.

    content: what the body says, in the form that is compared; see `content`. is_complete: False if the answer came
    before the body had arrived.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    path: str
    query: Pairs
    headers: Pairs
    body: StoredBody | None
    content: Any
    is_complete: bool = True


class RecordedAnswer(BaseModel):
    """An answer. status: None if the connection was cut before it."""

    model_config = ConfigDict(frozen=True)

    status: int | None
    headers: Pairs
    body: StoredBody | None
    end: End


class Exchange(BaseModel):
    """A request with its answer."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = VERSION
    request: RecordedRequest
    answer: RecordedAnswer


class Arrival(BaseModel):
    """A request without its answer."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = VERSION
    request: RecordedRequest


def to_line(record: BaseModel) -> bytes:
    """Return the record as a line of ASCII."""
    return json.dumps(record.model_dump()).encode("ascii") + b"\n"


def exchange_from_line(line: bytes) -> Exchange:
    """Parse a line. Raises ValueError, whose message names the field."""
    fields = json.loads(line)
    version = fields.get("version") if isinstance(fields, dict) else None
    if version != VERSION:
        raise ValueError(f"version: should be {VERSION}, and is {version!r}")
    try:
        return Exchange.model_validate(fields)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
