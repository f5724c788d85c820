"""JSON scalars as the hosted endpoint accepts them: "768", 768.0, and 1 for true, but not true for a number."""

import sys
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from pipelines.direction import MAX_GUIDANCE_SCALE, MAX_GUIDANCE_TAU
from pipelines.spec import MAX_CRF, MAX_SEED
from server.contract.limits import MAX_PROMPT_CHARACTERS, MAX_SENT_SIDE

MAX_FLOAT = int(sys.float_info.max)

# Values with a meaning of their own.
LAST_FRAME = -1
RANDOM_SEED = -1

# Controls, formats, separators, surrogates, and combining marks, which need a base letter.
INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})
# Letters and symbols that are drawn blank: Hangul fillers, the blank Braille pattern.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Reserved for more characters that are not drawn.
INVISIBLE_PLANE = range(0xE0000, 0xE1000)


def _integer(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "Input should be a valid number")
    return max(min(value, MAX_FLOAT), -MAX_FLOAT) if isinstance(value, int) else value


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise PydanticCustomError("string_unicode", "Input should be valid Unicode, without lone surrogates") from exc
    return value


def _not_blank(value: str) -> str:
    if not any(map(_is_visible, value)):
        raise PydanticCustomError("string_blank", "Input should not be blank: say what the clip shows")
    return value


def _is_visible(char: str) -> bool:
    return (
        unicodedata.category(char) not in INVISIBLE_CATEGORIES
        and char not in INVISIBLE
        and ord(char) not in INVISIBLE_PLANE
    )


# Put limits before these in Annotated: only then does pydantic include them in the JSON schema.
INTEGER = BeforeValidator(_integer)
NUMBER = BeforeValidator(_number)
ENCODABLE = AfterValidator(_encodable)

Integer = Annotated[int, INTEGER]
Number = Annotated[float, NUMBER]
Text = Annotated[str, ENCODABLE]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS), ENCODABLE, AfterValidator(_not_blank)]
NegativePrompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS), ENCODABLE]
NagScale = Annotated[float, Field(ge=0, le=MAX_GUIDANCE_SCALE), NUMBER]
NagAlpha = Annotated[float, Field(ge=0, le=1), NUMBER]
NagTau = Annotated[float, Field(gt=0, le=MAX_GUIDANCE_TAU), NUMBER]
Side = Annotated[int, Field(gt=0, le=MAX_SENT_SIDE), INTEGER]
FrameCount = Annotated[int, Field(gt=0), INTEGER]
FrameIndex = Annotated[int, Field(ge=LAST_FRAME), INTEGER]
Seconds = Annotated[float, Field(ge=0), NUMBER]
Seed = Annotated[int, Field(ge=RANDOM_SEED, le=MAX_SEED), INTEGER]
Strength = Annotated[float, Field(ge=0, le=1), NUMBER]
Crf = Annotated[int, Field(ge=0, le=MAX_CRF), INTEGER]
