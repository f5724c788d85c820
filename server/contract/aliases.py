"""Names that public clients send, as the documented ones. Knows no rules about values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.contract.errors import Loc
from server.contract.named_size import agrees, is_automatic, read_named_size
from server.contract.wire import MAX_KEYFRAMES, GenerateRequest

# Of two aliases of one field the upper wins.
ALIASES = {
    "image": "input_image_b64",
    "image_b64": "input_image_b64",
    "frame_rate": "fps",
    "steps": "num_inference_steps",
    "cfg_guidance_scale": "guidance_scale",
}
SIZE_NAMES = ("resolution", "aspect_ratio")
# What is sent as its default is never reported.
DEFAULT_SIZE = tuple(GenerateRequest.model_fields[name].default for name in ("width", "height"))


@dataclass(frozen=True)
class Overridden:
    """An alias that is ignored because another name was sent for the same field.

    path: of the documented field. loc: of the alias.
    """

    path: Loc
    loc: Loc
    value: object


@dataclass(frozen=True)
class SentRequest:
    """A body under the documented names; nulls are gone, unknown fields are still there.

    names: documented path -> the path that was sent, where they differ.
    single_image: `keyframes` holds the one entry of an `images`, to be shown at frame 0.
    """

    values: dict[str, Any]
    names: Mapping[Loc, Loc]
    overridden: tuple[Overridden, ...] = ()
    single_image: bool = False

    def value_at(self, path: Loc) -> Any:
        """What was sent for a documented path; None when nothing was."""
        value: Any = self.values
        for part in path:
            if isinstance(value, dict) and part not in value:
                return None
            value = value[part]
        return value

    def as_sent(self, loc: Loc) -> Loc:
        prefixes = (loc[:end] for end in range(len(loc), 0, -1))
        known = next((prefix for prefix in prefixes if prefix in self.names), ())
        return self.names.get(known, ()) + loc[len(known) :]


def read_names(raw: Mapping[str, Any]) -> SentRequest:
    """Raise RequestInvalid when `resolution` or `aspect_ratio` cannot be read."""
    reader = _Reader(raw)
    for alias, field in ALIASES.items():
        reader.read_alias(alias, field)
    reader.read_size_names()
    reader.read_images()
    return SentRequest(reader.values, reader.names, tuple(reader.overridden), reader.single_image)


class _Reader:
    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.values = _without_nulls(raw)
        self.names: dict[Loc, Loc] = {}
        self.overridden: list[Overridden] = []
        self.single_image = False

    def read_alias(self, alias: str, field: str) -> None:
        if alias in self.values:
            self._offer(field, (alias,), self.values.pop(alias))

    def read_size_names(self) -> None:
        """Width and height win over names, which are not even validated then."""
        popped = {name: self.values.pop(name, None) for name in SIZE_NAMES}
        sent = {name: value for name, value in popped.items() if not is_automatic(value)}
        sides = self.values.get("width"), self.values.get("height")
        if sent and None in sides:
            sides = read_named_size(sent.get("resolution"), sent.get("aspect_ratio"), *sides)
            for field, value in zip(("width", "height"), sides, strict=True):
                self._offer(field, (next(iter(sent)),), value)
        for name, value in sent.items():
            if not agrees(value, *sides) and not agrees(value, *DEFAULT_SIZE):
                self.overridden.append(Overridden(("width",), (name,), value))

    def read_images(self) -> None:
        images = self.values.pop("images", None)
        if images is None or images == []:
            return
        single = isinstance(images, list) and len(images) == 1
        if "keyframes" in self.values:
            self.overridden.append(Overridden(("keyframes",), ("images",), images))
        elif single and "input_image_b64" in self.values:
            self.overridden.append(Overridden(("input_image_b64",), ("images",), images))
        else:
            self.single_image = single
            self.names["keyframes",] = ("images",)
            self.values["keyframes"] = self._read_entries(images)

    def _offer(self, field: str, loc: Loc, value: object) -> None:
        if field in self.values:
            self.overridden.append(Overridden((field,), loc, value))
        else:
            self.values[field] = value
            self.names[field,] = loc

    def _read_entries(self, images: Any) -> Any:
        if not isinstance(images, list) or len(images) > MAX_KEYFRAMES:
            return images
        return [self._read_entry(i, entry) for i, entry in enumerate(images)]

    def _read_entry(self, i: int, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        entry = _without_nulls(entry)
        alias: Loc = ("images", i, "frame_index")
        frame_index = entry.pop("frame_index", None)
        if "frame_idx" not in entry:
            self.names["keyframes", i, "frame_idx"] = alias
            default = 0 if self.single_image else None
            entry["frame_idx"] = default if frame_index is None else frame_index
        elif frame_index is not None:
            self.overridden.append(Overridden(("keyframes", i, "frame_idx"), alias, frame_index))
        return entry


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
