"""Read how many clips one request of POST /v1/videos makes: `n`, with consecutive seeds."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from server.contract.errors import RequestInvalid
from server.contract.names.absent import is_empty
from server.contract.scalars import INTEGER

MAX_CLIPS = 10
_COUNT: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=MAX_CLIPS), INTEGER])


def take_count(fields: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return `n`, 1 if it was not sent, and the other fields. Raises RequestInvalid."""
    others = {name: value for name, value in fields.items() if name != "n"}
    if is_empty(fields.get("n")):
        return 1, others
    try:
        return _COUNT.validate_python(fields["n"]), others
    except ValidationError as exc:
        (error,) = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestInvalid.at(("n",), error["msg"], error["type"]) from exc
