"""JSON scalars by the contract's rules: 768.0 is an integer; 768.5, "768" and true are not. For strict models."""

import sys
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

MAX_FLOAT = int(sys.float_info.max)


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _within_float(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return max(min(value, MAX_FLOAT), -MAX_FLOAT)
    return value


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise PydanticCustomError("string_unicode", "Input should be valid Unicode, without lone surrogates") from exc
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("string_blank", "Input should not be blank: say what the clip shows")
    return value


# Limits stand before these: pydantic names them in the JSON schema only there.
INTEGRAL = BeforeValidator(_integral)
NUMERIC = BeforeValidator(_within_float)
ENCODABLE = AfterValidator(_encodable)

Integer = Annotated[int, INTEGRAL]
Number = Annotated[float, NUMERIC]
Text = Annotated[str, ENCODABLE]
Prompt = Annotated[str, Field(min_length=1, max_length=10_000), ENCODABLE, AfterValidator(_not_blank)]
Side = Annotated[int, Field(gt=0, le=16_384), INTEGRAL]
FrameCount = Annotated[int, Field(gt=0), INTEGRAL]
FrameIndex = Annotated[int, Field(ge=-1), INTEGRAL]
Seconds = Annotated[float, Field(ge=0), NUMERIC]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), INTEGRAL]
Strength = Annotated[float, Field(ge=0, le=1), NUMERIC]
Crf = Annotated[int, Field(ge=0, le=51), INTEGRAL]
