"""Translate the field names that public clients send to the documented ones, and drop values that mean "absent".

Values are validated later.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.memory import DEFAULT_CLIP
from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.limits import MAX_KEYFRAMES
from server.contract.names.absent import is_absent, is_empty
from server.contract.names.named_size import agrees, is_automatic, read_named_size
from server.contract.names.pictures import (
    could_be_picture,
    holds_picture,
    is_entry_frame,
    is_entry_image,
    is_first_frame,
    is_last_frame,
    picture_in,
)
from server.contract.names.sent import Overridden, SentRequest
from server.contract.scalars import LAST_FRAME

ALIASES = {
    "frames": "num_frames",
    "frame_rate": "fps",
    "steps": "num_inference_steps",
    "cfg_guidance_scale": "guidance_scale",
}
# If several names for the first frame are sent, these win, in this order.
FIRST_FRAME_ORDER = ("image", "image_b64")
SIZE_NAMES = ("resolution", "aspect_ratio")
# A field that is sent with its default value is never reported.
DEFAULT_SIZE = (DEFAULT_CLIP.width, DEFAULT_CLIP.height)

UNUSED_PICTURE = (
    "This would not be used: send the first frame as input_image_b64, several as keyframes of image_b64 and frame_idx; "
    "no other pictures and no videos are taken"
)
LAST_ALONE = "A last frame needs a first one: send that as input_image_b64"
ONE_PICTURE = "Only one picture can be the first frame; send several as keyframes of image_b64 and frame_idx"


def read_names(raw: Mapping[str, Any]) -> SentRequest:
    """Translate every name. Raises RequestInvalid for an invalid size, or a picture that would not be used."""
    reader = _Reader(raw)
    for alias, field in ALIASES.items():
        if alias in reader.values:
            reader.offer(field, (alias,), reader.values.pop(alias))
    reader.read_size_names()
    reader.read_first_frame()
    reader.read_keyframes()
    reader.read_images()
    reader.read_last_frame()
    sent = SentRequest(reader.values, reader.names, tuple(reader.overridden), reader.single_image)
    _refuse_unused_pictures(sent)
    return sent


def _refuse_unused_pictures(sent: SentRequest) -> None:
    paths = [path for path, value in sent.unknown_fields() if holds_picture(str(path[-1]), value)]
    if paths:
        raise RequestInvalid([FieldError(sent.as_sent(path), UNUSED_PICTURE, "image_unused") for path in paths])


class _Reader:
    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.values = {name: value for name, value in raw.items() if not is_absent(name, value)}
        self.names: dict[Loc, Loc] = {}
        self.overridden: list[Overridden] = []
        self.single_image = False

    def offer(self, field: str, loc: Loc, value: object) -> None:
        """Take `value` for `field`, unless another name has already set it."""
        if field in self.values:
            self.overridden.append(Overridden((field,), loc, value))
        else:
            self.values[field] = value
            self.names[field,] = loc

    def read_size_names(self) -> None:
        """Read named sizes. Width and height win over them; if both are sent, the names are not even validated."""
        popped = {name: self.values.pop(name, None) for name in SIZE_NAMES}
        sent = {name: value for name, value in popped.items() if not is_automatic(value)}
        sides = self.values.get("width"), self.values.get("height")
        if sent and None in sides:
            sides = read_named_size(sent.get("resolution"), sent.get("aspect_ratio"), *sides)
            for field, value in zip(("width", "height"), sides, strict=True):
                self.offer(field, (next(iter(sent)),), value)
        for name, value in sent.items():
            if not agrees(value, *sides) and not agrees(value, *DEFAULT_SIZE):
                self.overridden.append(Overridden(("width",), (name,), value))

    def read_first_frame(self) -> None:
        if "input_image_b64" in self.values:
            self._take_picture("input_image_b64")
        names = [name for name in self.values if name not in ("images", "input_image_b64") and is_first_frame(name)]
        for name in sorted(names, key=_first_frame_rank):
            if name in FIRST_FRAME_ORDER or could_be_picture(self.values[name]):
                self._take_picture(name)

    def _take_picture(self, name: str) -> None:
        value = picture_in(self.values.pop(name))
        if is_absent(name, value):
            return
        if isinstance(value, list) and "input_image_b64" not in self.values:
            raise RequestInvalid.at((name,), ONE_PICTURE, "too_many_images")
        self.offer("input_image_b64", (name,), value)

    def read_keyframes(self) -> None:
        if "keyframes" in self.values:
            self._take_entries("keyframes", self.values.pop("keyframes"))

    def read_images(self) -> None:
        if "images" not in self.values:
            return
        images = self.values.pop("images")
        single = sum(not is_empty(entry) for entry in _entries(images)) == 1
        if "keyframes" in self.values:
            self.overridden.append(Overridden(("keyframes",), ("images",), images))
        elif single and "input_image_b64" in self.values:
            self.overridden.append(Overridden(("input_image_b64",), ("images",), images))
        else:
            self.single_image = single
            self._take_entries("images", images)

    def read_last_frame(self) -> None:
        names = [name for name in self.values if is_last_frame(name) and could_be_picture(self.values[name])]
        for name in sorted(names):
            value = picture_in(self.values.pop(name))
            if is_absent(name, value):
                continue
            self._take_last_frame(name, value)

    def _take_last_frame(self, name: str, value: object) -> None:
        last = {"image_b64": value, "frame_idx": LAST_FRAME}
        if self.single_image:
            self.values["keyframes"] = [*self.values["keyframes"], last]
            self.single_image = False
        elif "keyframes" in self.values:
            self.overridden.append(Overridden(("keyframes",), (name,), value))
            return
        elif "input_image_b64" in self.values:
            first = {"image_b64": self.values.pop("input_image_b64"), "frame_idx": 0}
            self.values["keyframes"] = [first, last]
            self.names["keyframes", 0, "image_b64"] = self.names.pop(("input_image_b64",), ("input_image_b64",))
        else:
            raise RequestInvalid.at((name,), LAST_ALONE, "first_frame_missing")
        self.names["keyframes", 1, "image_b64"] = (name,)

    def _take_entries(self, name: str, entries: Any) -> None:
        """Take a list of keyframes that was sent as `name`. Errors keep the original position of each entry."""
        if name != "keyframes":
            self.names["keyframes",] = (name,)
        if isinstance(entries, list) and len(entries) <= MAX_KEYFRAMES:
            sent = [((name, i), entry) for i, entry in enumerate(entries) if not is_empty(entry)]
            entries = [self._read_entry(i, loc, entry) for i, (loc, entry) in enumerate(sent)]
        if not is_empty(entries):
            self.values["keyframes"] = entries

    def _read_entry(self, i: int, loc: Loc, entry: Any) -> Any:
        self.names["keyframes", i] = loc
        if isinstance(entry, str) and loc[0] == "images":
            self.names["keyframes", i, "image_b64"] = loc
            entry = {"image_b64": entry}
        if not isinstance(entry, dict):
            return entry
        entry = {name: value for name, value in entry.items() if not is_absent(name, value)}
        if "image_b64" in entry:
            entry["image_b64"] = picture_in(entry["image_b64"])
        images = [name for name, value in entry.items() if is_entry_image(name, value)]
        frames = [name for name, value in entry.items() if is_entry_frame(name, value)]
        self._rename_in_entry(("keyframes", i, "image_b64"), loc, entry, images)
        self._rename_in_entry(("keyframes", i, "frame_idx"), loc, entry, frames)
        if loc[0] == "images" and "frame_idx" not in entry:
            self.names["keyframes", i, "frame_idx"] = (*loc, "frame_index")
            if self.single_image:
                entry["frame_idx"] = 0
        return entry

    def _rename_in_entry(self, path: Loc, loc: Loc, entry: dict[str, Any], aliases: Iterable[str]) -> None:
        field = str(path[-1])
        for alias in sorted(set(aliases) - {field}):
            value = picture_in(entry.pop(alias))
            if is_empty(value):
                continue
            if field in entry:
                self.overridden.append(Overridden(path, (*loc, alias), value))
            else:
                entry[field] = value
                self.names[path] = (*loc, alias)


def _first_frame_rank(name: str) -> tuple[int, str]:
    return (FIRST_FRAME_ORDER.index(name) if name in FIRST_FRAME_ORDER else len(FIRST_FRAME_ORDER), name)


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) and len(value) <= MAX_KEYFRAMES else []
