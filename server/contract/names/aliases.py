"""Translate the field names that public clients send to the documented ones, and drop values that mean "absent".

Values are validated later.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.memory import DEFAULT_CLIP
from server.contract.names.absent import is_absent
from server.contract.names.lora import read_lora
from server.contract.names.named_size import agrees, is_automatic, read_named_size
from server.contract.names.picture_fields import read_pictures
from server.contract.names.sent import SentRequest

ALIASES = {
    "frames": "num_frames",
    "frame_rate": "fps",
    "steps": "num_inference_steps",
    "cfg_guidance_scale": "guidance_scale",
}
SIZE_NAMES = ("resolution", "aspect_ratio")
# A field that is sent with its default value is never reported.
DEFAULT_SIZE = (DEFAULT_CLIP.width, DEFAULT_CLIP.height)


def read_names(raw: Mapping[str, Any]) -> SentRequest:
    """Translate every name. Raises RequestInvalid for an invalid size, or a picture that would not be used."""
    sent = SentRequest({name: value for name, value in raw.items() if not is_absent(name, value)})
    for alias, field in ALIASES.items():
        if alias in sent.values:
            sent.offer(field, (alias,), sent.values.pop(alias))
    read_lora(sent)
    _read_size_names(sent)
    read_pictures(sent)
    return sent


def _read_size_names(sent: SentRequest) -> None:
    """Read named sizes. Width and height win over them; if both are sent, the names are not even validated."""
    popped = {name: sent.values.pop(name, None) for name in SIZE_NAMES}
    named = {name: value for name, value in popped.items() if not is_automatic(value)}
    sides = sent.values.get("width"), sent.values.get("height")
    if named and None in sides:
        sides = read_named_size(named.get("resolution"), named.get("aspect_ratio"), *sides)
        for field, value in zip(("width", "height"), sides, strict=True):
            sent.offer(field, (next(iter(named)),), value)
    for name, value in named.items():
        if not agrees(value, *sides) and not agrees(value, *DEFAULT_SIZE):
            sent.override(("width",), (name,), value)
