"""Translate the names that POST /v1/videos takes (OpenAI, SGLang-Diffusion, vLLM-Omni) to those of POST /generate."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.memory import DEFAULT_CLIP
from server.contract.adjustments import Adjustment
from server.contract.errors import Loc, RequestInvalid, dotted
from server.contract.names.absent import is_absent, is_empty, is_meaningful
from server.contract.names.envelope import unwrap
from server.contract.names.named_size import is_automatic, names_same_size
from server.contract.parsing.json_body import validate_value_count

SECONDS = re.compile(r"\s*[0-9]{1,6}(\.[0-9]{1,9})?\s*s?\s*")
# Alias -> the name that POST /generate reads, which wins if both are sent. Of two aliases the upper one wins.
NAMES = {
    "seconds": "duration",
    "image_reference": "input_reference",
    "reference_url": "input_reference",
    "generate_sound": "generate_audio",
    "num_outputs_per_prompt": "n",
    "audio_reference": "audio_b64",
}
# Objects whose fields move to the top level. Each may contain those after it.
GROUPS = ("extra_body", "extra_json", "extra_params", "video_params")
IMAGES = ("input_reference", *(name for name, ours in NAMES.items() if ours == "input_reference"))
SOUND_KEYS = frozenset({"audio_url", "url"})


@dataclass(frozen=True)
class OpenAIRequest:
    """A body with the names that POST /generate reads.

    model: as sent. paths: the path that was sent for each name in `values`.
    """

    values: dict[str, Any]
    model: Any
    paths: Mapping[str, Loc]
    adjustments: tuple[Adjustment, ...] = ()

    def as_sent(self, loc: Loc) -> Loc:
        """Translate a path into `values` to a path into the body."""
        return self.paths.get(str(loc[0]), loc[:1]) + loc[1:] if loc else loc


def read_openai_names(raw: Mapping[str, Any], *, strict: bool = False) -> OpenAIRequest:
    """Translate the names. Raises RequestInvalid for a value that cannot be read or, if strict, that is not used."""
    unwrapped = unwrap(raw, strict=strict)
    # An empty prompt is kept, because it has an error of its own.
    values = {name: value for name, value in unwrapped.fields.items() if name == "prompt" or _is_sent(name, value)}
    reader = _Reader(values, {name: unwrapped.as_sent((name,)) for name in values}, strict)
    for group in GROUPS:
        reader.read_group(group)
    reader.refuse("video_reference", "A clip is taken as video_b64 or from_video, with retake or continue")
    for name in IMAGES:
        reader.validate_image(name)
    reader.unwrap_sound()
    reader.keep_rate()
    for name, ours in NAMES.items():
        reader.rename(name, ours)
    reader.read_size()
    model = reader.values.pop("model", None)
    if model is not None and not isinstance(model, str):
        raise RequestInvalid.at(reader.paths["model"], "Input should be a string", "string_type")
    return OpenAIRequest(reader.values, model, reader.paths, (*unwrapped.adjustments, *reader.adjustments))


@dataclass
class _Reader:
    values: dict[str, Any]
    paths: dict[str, Loc]
    strict: bool
    adjustments: list[Adjustment] = field(default_factory=list)

    def read_group(self, group: str) -> None:
        """Move the fields of an object, which may be JSON text, to the top level; fields already there win."""
        sent = self.values.pop(group, None)
        if sent is None:
            return
        path = self.paths[group]
        for name, value in _read_object(sent, path).items():
            if _is_sent(name, value):
                self._offer(name, value, (*path, str(name)))

    def keep_rate(self) -> None:
        """Have `seconds` beside a number of frames not change the rate, as it does not in SGLang and vLLM-Omni."""
        sent = {name for name, value in self.values.items() if not is_absent(name, value)}
        if "seconds" in sent and sent & {"num_frames", "frames"} and not sent & {"duration", "fps", "frame_rate"}:
            self.values["fps"] = float(DEFAULT_CLIP.frame_rate)

    def rename(self, name: str, ours: str) -> None:
        if name not in self.values:
            return
        sent, path = self.values.pop(name), self.paths[name]
        # A value that loses is not validated.
        is_used = ours not in self.values
        self._offer(ours, _seconds(sent, path) if is_used and name == "seconds" else sent, path)

    def unwrap_sound(self) -> None:
        """Take the sound out of an object such as `{"audio_url": ...}`."""
        sent = self.values.get("audio_reference")
        if isinstance(sent, dict) and len(sent) == 1 and sent.keys() <= SOUND_KEYS:
            ((key, self.values["audio_reference"]),) = sent.items()
            self.paths["audio_reference"] = (*self.paths["audio_reference"], key)

    def read_size(self) -> None:
        """Rename `size`, the documented name here, to `resolution`; it wins over a `resolution` that was sent."""
        sent, other = self.values.pop("size", None), self.values.get("resolution")
        if is_automatic(sent):
            return
        self.values["resolution"], other_path = sent, self.paths.get("resolution", ())
        self.paths["resolution"] = self.paths["size"]
        if not is_automatic(other) and not names_same_size(other, sent, self.values.get("aspect_ratio")):
            self._lose(other, "resolution", other_path)

    def refuse(self, name: str, msg: str) -> None:
        if name in self.values:
            raise RequestInvalid.at(self.paths[name], msg, "unsupported")

    def validate_image(self, name: str) -> None:
        """Raise RequestInvalid for a value that cannot be a picture, or the id of a previously uploaded file."""
        sent = self.values.get(name)
        if sent is not None and not isinstance(sent, str | list | dict):
            msg = "Input should be an image: a file, base64, or a data URL, which may stand in image_url"
            raise RequestInvalid.at(self.paths[name], msg, "input_reference_invalid")
        references = sent if isinstance(sent, list) else [sent]
        if any(isinstance(reference, dict) and reference.get("file_id") for reference in references):
            msg = (
                "file_id is not supported, because this server keeps no uploaded files: send the image itself, as a "
                "file of a form or as a data URL in image_url"
            )
            raise RequestInvalid.at(self.paths[name], msg, "file_id_unsupported")

    def _offer(self, name: str, value: Any, path: Loc) -> None:
        if name in self.values:
            self._lose(value, name, path)
        else:
            self.values[name], self.paths[name] = value, path

    def _lose(self, sent: Any, ours: str, path: Loc) -> None:
        """Report a value that is not used, unless it equals the used one. Raises RequestInvalid if strict."""
        if _plain(sent) == _plain(self.values[ours]):
            return
        reason = f"{dotted(self.paths[ours])} wins over {dotted(path)}"
        adjustment = Adjustment(dotted(path), sent, self.values[ours], reason)
        if self.strict:
            raise RequestInvalid([adjustment.refusal(path)])
        self.adjustments.append(adjustment)


def _is_sent(name: str, value: Any) -> bool:
    return not is_empty(value) or is_meaningful(name, value)


def _plain(value: Any) -> Any:
    """Return a value in a comparable form: 4, 4.0, "4" and "4s" are the same number of seconds."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value).strip().lower()
        return float(text.removesuffix("s")) if SECONDS.fullmatch(text) else text
    return value


def _read_object(sent: Any, path: Loc) -> dict[str, Any]:
    if isinstance(sent, str):
        validate_value_count(sent)
        try:
            sent = json.loads(sent)
        except (ValueError, RecursionError):
            sent = None
    if not isinstance(sent, dict):
        raise RequestInvalid.at(path, "Input should be an object, or the JSON text of one", "dict_type")
    return sent


def _seconds(sent: Any, path: Loc) -> Any:
    if not isinstance(sent, str):
        return sent
    if not SECONDS.fullmatch(sent):
        raise RequestInvalid.at(path, 'Input should be seconds such as "4" or "8.5"', "seconds_invalid")
    return float(sent.strip().removesuffix("s"))
