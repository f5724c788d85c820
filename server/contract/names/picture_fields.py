"""Find a request's pictures, whatever their names, and put them into `input_image_b64` or `keyframes`."""

from collections.abc import Iterable
from typing import Any

from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.limits import MAX_KEYFRAMES
from server.contract.names.absent import is_absent, is_empty
from server.contract.names.pictures import (
    could_be_picture,
    holds_picture,
    is_entry_frame,
    is_entry_image,
    is_first_frame,
    is_last_frame,
    picture_in,
)
from server.contract.names.sent import SentRequest
from server.contract.scalars import LAST_FRAME

# If several names for the first frame are sent, these win, in this order.
FIRST_FRAME_ORDER = ("input_image_b64", "image", "image_b64")

UNUSED_PICTURE = (
    "This would not be used: send the first frame as input_image_b64, several as keyframes of image_b64 and frame_idx; "
    "a sound as audio_b64, and a clip as video_b64 with retake or continue; nothing is fetched"
)
LAST_ALONE = "A last frame needs a first one: send that as input_image_b64"
ONE_PICTURE = "Only one picture can be the first frame; send several as keyframes of image_b64 and frame_idx"


def read_pictures(sent: SentRequest) -> None:
    """Rename the fields of `sent` that are pictures. Raises RequestInvalid for a picture that would not be used."""
    _read_first_frame(sent)
    if "keyframes" in sent.values:
        _read_list(sent, "keyframes", sent.values.pop("keyframes"))
    if "images" in sent.values:
        _read_images(sent, sent.values.pop("images"))
    _read_last_frame(sent)
    unused = [path for path, value in sent.unknown_fields() if holds_picture(str(path[-1]), value)]
    if unused:
        raise RequestInvalid([FieldError(sent.as_sent(path), UNUSED_PICTURE, "image_unused") for path in unused])


def _read_first_frame(sent: SentRequest) -> None:
    others = sent.values.keys() - {*FIRST_FRAME_ORDER, "images"}
    pictures = sorted(name for name in others if is_first_frame(name) and could_be_picture(sent.values[name]))
    for name in (*FIRST_FRAME_ORDER, *pictures):
        picture = picture_in(sent.values.pop(name, None))
        if is_empty(picture):
            continue
        if isinstance(picture, list) and "input_image_b64" not in sent.values:
            raise RequestInvalid.at((name,), ONE_PICTURE, "too_many_images")
        sent.offer("input_image_b64", (name,), picture)


def _read_images(sent: SentRequest, images: Any) -> None:
    """Read `images`, another name for `keyframes`, or for `input_image_b64` if it has only one picture."""
    is_single = _is_list(images) and sum(not is_empty(entry) for entry in images) == 1
    if "keyframes" in sent.values:
        sent.override(("keyframes",), ("images",), images)
    elif is_single and "input_image_b64" in sent.values:
        sent.override(("input_image_b64",), ("images",), images)
    else:
        sent.single_image = is_single
        _read_list(sent, "images", images)


def _read_last_frame(sent: SentRequest) -> None:
    """Append the last frame to the only picture. Several keyframes win over it."""
    for name in sorted(filter(is_last_frame, sent.values)):
        if not could_be_picture(sent.values[name]) or is_empty(picture := picture_in(sent.values.pop(name))):
            continue
        if "keyframes" in sent.values and not sent.single_image:
            sent.override(("keyframes",), (name,), picture)
            continue
        first = _first_keyframe(sent, name)
        sent.single_image = False
        sent.values["keyframes"] = [first, {"image_b64": picture, "frame_idx": LAST_FRAME}]
        sent.names["keyframes", 1, "image_b64"] = (name,)


def _first_keyframe(sent: SentRequest, last_name: str) -> Any:
    """Return the only picture as a keyframe. Raises RequestInvalid, located at the last frame, without one."""
    if sent.single_image:
        return sent.values["keyframes"][0]
    if "input_image_b64" not in sent.values:
        raise RequestInvalid.at((last_name,), LAST_ALONE, "first_frame_missing")
    sent.names["keyframes", 0, "image_b64"] = sent.names.pop(("input_image_b64",))
    return {"image_b64": sent.values.pop("input_image_b64"), "frame_idx": 0}


def _read_list(sent: SentRequest, name: str, entries: Any) -> None:
    """Read a list of keyframes that was sent as `name`. Errors keep the original position of each entry."""
    sent.names["keyframes",] = (name,)
    if _is_list(entries):
        filled = [((name, i), entry) for i, entry in enumerate(entries) if not is_empty(entry)]
        entries = [_read_entry(sent, i, loc, entry) for i, (loc, entry) in enumerate(filled)]
    if not is_empty(entries):
        sent.values["keyframes"] = entries


def _is_list(entries: Any) -> bool:
    """Return whether `entries` can be keyframes; anything else is refused when it is validated."""
    return isinstance(entries, list) and len(entries) <= MAX_KEYFRAMES


def _read_entry(sent: SentRequest, i: int, loc: Loc, entry: Any) -> Any:
    """Return keyframe `i` with documented names. loc: where it was sent."""
    sent.names["keyframes", i] = loc
    is_of_images = loc[0] == "images"
    if isinstance(entry, str) and is_of_images:
        sent.names["keyframes", i, "image_b64"] = loc
        entry = {"image_b64": entry}
    if not isinstance(entry, dict):
        return entry
    entry = {name: value for name, value in entry.items() if not is_absent(name, value)}
    if "image_b64" in entry:
        entry["image_b64"] = picture_in(entry["image_b64"])
    for field, is_alias in (("image_b64", is_entry_image), ("frame_idx", is_entry_frame)):
        aliases = {name for name, value in entry.items() if is_alias(name, value)} - {field}
        _rename(sent, entry, aliases, ("keyframes", i, field), loc)
    if is_of_images and "frame_idx" not in entry:
        sent.names["keyframes", i, "frame_idx"] = (*loc, "frame_index")
        if sent.single_image:
            entry["frame_idx"] = 0
    return entry


def _rename(sent: SentRequest, entry: dict[str, Any], aliases: Iterable[str], path: Loc, loc: Loc) -> None:
    """Move the value of an alias to the field that ends `path`, unless the entry has a value for it already."""
    field = str(path[-1])
    for alias in sorted(aliases):
        value = picture_in(entry.pop(alias))
        if is_empty(value):
            continue
        if field in entry:
            sent.override(path, (*loc, alias), value)
        else:
            entry[field] = value
            sent.names[path] = (*loc, alias)
