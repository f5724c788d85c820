"""Convert a PreparedRequest to JSON text and back. Its images are stored as names of files in the video's folder."""

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.errors import SpecError
from pipelines.spec import Container, GenerationSpec, Keyframe
from server.contract.adjustments import Adjustment
from server.videos.errors import StoreError
from server.videos.prepared import PreparedRequest


def request_to_json(request: PreparedRequest) -> str:
    spec = request.spec
    fields = asdict(spec) | {
        "frame_rate": str(spec.frame_rate),
        "keyframes": [asdict(keyframe) | {"path": keyframe.path.name} for keyframe in spec.keyframes],
    }
    return json.dumps(asdict(request) | {"spec": fields})


def request_from_json(text: str, folder: Path) -> PreparedRequest:
    """Parse a request. Raises StoreError if the text is not one."""
    try:
        fields = json.loads(text)
        adjustments = tuple(Adjustment(**adjustment) for adjustment in fields.pop("adjustments"))
        return PreparedRequest(spec=_spec(fields.pop("spec"), folder), adjustments=adjustments, **fields)
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, SpecError) as exc:
        raise StoreError(f"{folder.name}: its request cannot be read: {exc}") from exc


def _spec(fields: dict[str, Any], folder: Path) -> GenerationSpec:
    keyframes = tuple(Keyframe(folder / keyframe.pop("path"), **keyframe) for keyframe in fields.pop("keyframes"))
    frame_rate, container = Fraction(fields.pop("frame_rate")), Container(fields.pop("container"))
    return GenerationSpec(**fields, frame_rate=frame_rate, container=container, keyframes=keyframes)
