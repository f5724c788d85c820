"""Find the LoRAs that a request names among those of the server."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.direction import LoraStrength
from server.contract.errors import FieldError, RequestInvalid, shorten
from server.contract.names.sent import SentRequest
from server.contract.wire import GenerateRequest, LoraRequest

MAX_NAMES_SHOWN = 20

NO_LORAS = "There are no LoRAs here: a server has those of --lora NAME=PATH and --lora-dir FOLDER"
REPEATED = "This LoRA is there already; send it once, with one strength"


@dataclass(frozen=True)
class KnownLora:
    """A LoRA of the server.

    strength: for requests that do not say one. is_applied: whether it changes every clip whose request does not say
    which LoRAs it wants. error: why it cannot be used, or None.
    """

    name: str
    path: Path
    strength: float = 1.0
    is_applied: bool = False
    error: str | None = None


def resolve_loras(
    request: GenerateRequest, sent: SentRequest, known: Mapping[str, KnownLora]
) -> tuple[LoraStrength, ...]:
    """Return the LoRAs of a clip. Raises RequestInvalid, with the names that were sent, if one cannot be used."""
    if request.loras is None:
        return _applied(known)
    errors = list(_errors(request.loras, known))
    if errors:
        raise RequestInvalid([replace(error, loc=sent.as_sent(error.loc)) for error in errors])
    return tuple(_wanted(lora, known[lora.name]) for lora in request.loras)


def _wanted(sent: LoraRequest, lora: KnownLora) -> LoraStrength:
    return LoraStrength(lora.name, lora.path, lora.strength if sent.strength is None else sent.strength)


def _applied(known: Mapping[str, KnownLora]) -> tuple[LoraStrength, ...]:
    applied = [lora for lora in known.values() if lora.is_applied]
    for lora in applied:
        if lora.error is not None:
            raise RequestInvalid.at(
                ("loras",),
                f"The LoRA {lora.name}, which changes every clip here, cannot be used: {lora.error}; send [] for a "
                "clip without it",
                "lora_unusable",
            )
    return tuple(LoraStrength(lora.name, lora.path, lora.strength) for lora in applied)


def _errors(sent: Sequence[LoraRequest], known: Mapping[str, KnownLora]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, name in enumerate(lora.name for lora in sent):
        loc = ("loras", i, "name")
        if name not in known:
            yield FieldError(loc, _unknown(name, known), "lora_unknown")
        elif name in seen:
            yield FieldError(loc, REPEATED, "lora_repeated")
        elif (error := known[name].error) is not None:
            yield FieldError(loc, f"This LoRA cannot be used: {error}", "lora_unusable")
        seen.add(name)


def _unknown(name: str, known: Mapping[str, KnownLora]) -> str:
    if not known:
        return NO_LORAS
    names = sorted(known)
    listed = ", ".join(map(shorten, names[:MAX_NAMES_SHOWN]))
    more = f" and {len(names) - MAX_NAMES_SHOWN} more (GET /models)" if len(names) > MAX_NAMES_SHOWN else ""
    nearest = difflib.get_close_matches(name, names, n=1)
    meant = f", the nearest is {shorten(nearest[0])}" if nearest else ""
    return f"There is no LoRA of this name{meant}; there are {listed}{more}"
