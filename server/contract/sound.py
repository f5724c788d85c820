"""Decode the sound that drives a clip. Whether it is one, and how long, is found out by the process that decodes it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.direction import Sound
from pipelines.errors import SpecError
from pipelines.geometry import snap_num_frames
from server.contract.adjustments import Adjustment, Report
from server.contract.errors import Loc, RequestInvalid, relocated
from server.contract.names.aliases import read_names
from server.contract.names.envelope import unwrap
from server.contract.names.pictures import is_url
from server.contract.names.sent import SentRequest
from server.contract.parsing.base64_file import SOUND, decode_base64_file
from server.contract.timing import Timing, describe_cap
from server.contract.wire import GenerateRequest

NOT_FETCHED = "This server fetches nothing: send the sound itself, in base64 or as a data: URL"


@dataclass(frozen=True)
class ResolvedSound:
    """The bytes of a sound file, not checked yet. loc: the path of its base64 in the body."""

    data: bytes = dataclass_field(repr=False)
    start_s: float
    loc: Loc


def find_sound(raw: Mapping[str, Any]) -> ResolvedSound | None:
    """Return the sound of a request, which has to be measured before the request is resolved. Raises RequestInvalid."""
    unwrapped = unwrap(raw)
    with relocated(unwrapped.as_sent):
        sent = read_names(unwrapped.fields)
        if "audio_b64" not in sent.values:
            return None
        sound = resolve_sound(sent.read_as(GenerateRequest), sent)
    return None if sound is None else replace(sound, loc=unwrapped.as_sent(sound.loc))


def resolve_sound(request: GenerateRequest, sent: SentRequest) -> ResolvedSound | None:
    if request.audio_b64 is None:
        return None
    loc = sent.as_sent(("audio_b64",))
    if is_url(request.audio_b64):
        raise RequestInvalid.at(loc, NOT_FETCHED, "audio_not_fetched")
    try:
        data = decode_base64_file(request.audio_b64, SOUND)
    except ValueError as exc:
        raise RequestInvalid.at(loc, str(exc), "audio_invalid") from exc
    return ResolvedSound(data, request.audio_start or 0.0, loc)


def left_s(length_s: Fraction | None, request: GenerateRequest, sent: SentRequest) -> Fraction | None:
    """Return the seconds of the sound from `audio_start` on; None if its length is unknown. Raises RequestInvalid."""
    if length_s is None:
        return None
    try:
        return Sound(Path(), request.audio_start or 0.0).left_of_s(length_s)
    except SpecError as exc:
        raise RequestInvalid.at(sent.as_sent(("audio_start",)), exc.message, "audio_start_beyond_end") from exc


def report_sound(
    request: GenerateRequest,
    sent: SentRequest,
    sound_s: Fraction | None,
    timing: Timing,
    size: tuple[int, int],
    report: Report,
) -> None:
    """Report a start without a sound, and a sound that makes the clip as long as it may be, and is longer."""
    if request.audio_b64 is None and request.audio_start:
        report.add("audio_start", None, "there is no audio_b64 that the clip could begin in")
    if sound_s is None or request.num_frames is not None or request.duration:
        return
    if timing.num_frames < snap_num_frames(sound_s * timing.frame_rate):
        used = f"{float(timing.duration_s):.3f} s"
        adjustment = Adjustment("audio_b64", f"{float(sound_s):.3f} s", used, describe_cap(timing, *size))
        report.add_sent(sent.as_sent(("audio_b64",)), adjustment)
