"""`lora`, one LoRA as vLLM-Omni's clients send it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.direction import LoraStrength
from server.contract.errors import RequestInvalid
from server.contract.loras import KnownLora
from server.contract.resolve import resolve_request

STYLE = Path("style.safetensors")
KNOWN = {"style": KnownLora("style", STYLE)}


def resolve(**fields: Any):
    return resolve_request({"prompt": "a fox"} | fields, loras=KNOWN)


@pytest.mark.parametrize(
    ("lora", "strength"),
    [
        ({"name": "style"}, 1.0),
        ({"name": "style", "scale": 0.5}, 0.5),
        ({"lora_name": "style", "lora_scale": "0.5"}, 0.5),
        ({"adapter": "style", "strength": 0.5}, 0.5),
    ],
)
def test_one_lora_is_read_as_an_entry(lora: dict[str, Any], strength: float) -> None:
    for sent in (lora, json.dumps(lora)):
        request = resolve(lora=sent)
        assert request.spec.loras == (LoraStrength("style", STYLE, strength),)
        assert request.adjustments == ()


def test_what_is_not_used_is_reported() -> None:
    [path, number] = resolve(lora={"name": "style", "path": "/loras/style", "int_id": 1}).adjustments

    assert (path.field, path.requested, path.used) == ("loras.0.path", "/loras/style", None)
    assert (number.field, number.requested, number.used) == ("loras.0.int_id", 1, None)


def test_loras_win_over_it() -> None:
    request = resolve(lora={"name": "style"}, loras=[{"name": "style", "strength": 0.5}])

    assert [lora.strength for lora in request.spec.loras] == [0.5]
    assert [adjustment.field for adjustment in request.adjustments] == ["loras"]


@pytest.mark.parametrize(
    ("lora", "loc"),
    [
        ({"path": "/loras/style"}, ("lora", "name")),
        ({"adapter": "other"}, ("lora", "adapter")),
        ({"name": "style", "scale": "much"}, ("lora", "scale")),
    ],
)
def test_an_error_names_what_was_sent(lora: dict[str, Any], loc: tuple[str, ...]) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        resolve(lora=lora)

    assert [error.loc for error in refusal.value.errors] == [loc]


@pytest.mark.parametrize("lora", ["style", "{style", True, 5])
def test_anything_else_is_an_unknown_field(lora: object) -> None:
    assert [adjustment.field for adjustment in resolve(lora=lora).adjustments] == ["lora"]
