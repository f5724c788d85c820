"""Read `lora`, vLLM-Omni's name for one LoRA, as the entry of `loras`."""

import json
from collections.abc import Mapping
from typing import Any

from server.contract.names.sent import SentRequest
from server.contract.parsing.json_body import validate_value_count

# Each field of an entry, and the names that are read as it; the first one that was sent wins.
NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "lora_name", "adapter"),
    "strength": ("strength", "scale", "lora_scale"),
}


def read_lora(sent: SentRequest) -> None:
    """Move an object, or the JSON text of one, to `loras`. Its other fields, such as a path, stay to be reported."""
    lora = _read_object(sent.values.get("lora"))
    if lora is None:
        return
    sent.values.pop("lora")
    if "loras" in sent.values:
        sent.override(("loras",), ("lora",), lora)
        return
    sent.names["loras",] = sent.names["loras", 0] = ("lora",)
    for field, names in NAMES.items():
        found = next((name for name in names if name in lora), field)
        if found != field:
            lora[field] = lora.pop(found)
            sent.names["loras", 0, field] = ("lora", found)
    sent.values["loras"] = [lora]


def _read_object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        validate_value_count(value)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return dict(value) if isinstance(value, dict) else None
