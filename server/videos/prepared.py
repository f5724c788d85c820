"""A request that is ready to be rendered, and its record as JSON. Frozen and independent of HTTP."""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.direction import Continuation, Guidance, LoraStrength, Retake, Sound
from pipelines.errors import SpecError
from pipelines.media.codecs import FORMATS
from pipelines.spec import Container, GenerationSpec, Keyframe
from server.contract.adjustments import Adjustment
from server.jobs.job import Job
from server.videos.errors import StoreError


@dataclass(frozen=True)
class PreparedRequest:
    """A clip to render, and the facts to report about it.

    original_prompt: as sent; `spec` has the prompt that is rendered.
    requested_duration_s: None if no duration was requested, or if an older server stored the video.
    from_video: the id of the video that it is made from.
    """

    spec: GenerationSpec
    original_prompt: str
    enhanced: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    enhance_s: float = 0.0
    requested_duration_s: float | None = None
    from_video: str | None = None

    @property
    def file_name(self) -> str:
        return f"clip{FORMATS[self.spec.container].suffix}"

    def timings_s(self, job: Job) -> dict[str, float]:
        """Return the seconds of each stage: queue, enhance, and the worker's stages once `job` is done."""
        return {"queue": job.queued_s, "enhance": self.enhance_s, **job.timings_s}


def request_to_json(request: PreparedRequest) -> str:
    """Return the request as JSON text. Its files are stored as their names in the video's folder."""
    spec = request.spec
    fields = asdict(spec) | {
        "frame_rate": str(spec.frame_rate),
        "keyframes": [asdict(keyframe) | {"path": keyframe.path.name} for keyframe in spec.keyframes],
    }
    # Older servers read what has none of the fields that are newer than they are.
    for name in ("guidance", "tail_guard", "embed_metadata"):
        if not fields[name]:
            del fields[name]
    for name, given in (("sound", spec.sound), ("source", spec.source)):
        del fields[name]
        if given is not None:
            fields[name] = asdict(given) | {"path": given.path.name}
    del fields["loras"]
    if spec.loras:
        fields["loras"] = [asdict(lora) | {"path": str(lora.path)} for lora in spec.loras]
    return json.dumps(asdict(request) | {"spec": fields})


def request_from_json(text: str, folder: Path) -> PreparedRequest:
    """Parse a request, whose files are in `folder`. Raises StoreError if the text is not one."""
    try:
        fields = json.loads(text)
        adjustments = tuple(Adjustment(**adjustment) for adjustment in fields.pop("adjustments"))
        return PreparedRequest(spec=_spec(fields.pop("spec"), folder), adjustments=adjustments, **fields)
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, SpecError) as exc:
        raise StoreError(f"{folder.name}: its request cannot be read: {exc}") from exc


def _spec(fields: dict[str, Any], folder: Path) -> GenerationSpec:
    keyframes = tuple(Keyframe(folder / keyframe.pop("path"), **keyframe) for keyframe in fields.pop("keyframes"))
    loras = tuple(LoraStrength(**lora | {"path": Path(lora["path"])}) for lora in fields.pop("loras", ()))
    frame_rate, container = Fraction(fields.pop("frame_rate")), Container(fields.pop("container"))
    sound = fields.pop("sound", None)
    if sound is not None:
        sound = Sound(folder / sound.pop("path"), **sound)
    source = fields.pop("source", None)
    if source is not None:
        kind = Retake if "start_s" in source else Continuation
        source = kind(folder / source.pop("path"), **source)
    guidance = fields.pop("guidance", None)
    if guidance is not None:
        guidance = Guidance(**guidance)
    given = {"guidance": guidance, "sound": sound, "source": source, "loras": loras}
    return GenerationSpec(**fields, frame_rate=frame_rate, container=container, keyframes=keyframes, **given)
