"""What a finished job is answered with: the file, or JSON around it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.media.codecs import FORMATS
from pipelines.spec import GenerationSpec
from server.contract import adjustments_header, adjustments_json
from server.orders import Order

MODEL_ID = "LTX-23-Video"


@dataclass(frozen=True)
class Rendered:
    """A clip that is ready to be sent. timings_s: queue, enhance, encode, denoise, decode, mux."""

    id: str
    data: bytes
    order: Order
    timings_s: Mapping[str, float]

    @property
    def spec(self) -> GenerationSpec:
        return self.order.spec

    @property
    def media_type(self) -> str:
        return FORMATS[self.spec.container].media_type


def clip_headers(rendered: Rendered) -> dict[str, str]:
    spec = rendered.spec
    return {
        "Content-Disposition": f'inline; filename="ltx-23-video-{spec.seed}{FORMATS[spec.container].suffix}"',
        "X-LTX-Seed": str(spec.seed),
        "X-LTX-Width": str(spec.width),
        "X-LTX-Height": str(spec.height),
        "X-LTX-Frames": str(spec.num_frames),
        "X-LTX-FPS": str(decimal(spec.frame_rate)),
        "X-LTX-Duration": str(decimal(spec.duration_s)),
        "X-LTX-Adjustments": adjustments_header(rendered.order.adjustments),
        "Server-Timing": ", ".join(f"{name};dur={1000 * s:.1f}" for name, s in rendered.timings_s.items()),
    }


def clip_json(rendered: Rendered) -> dict[str, Any]:
    spec = rendered.spec
    return {
        "id": rendered.id,
        "model": MODEL_ID,
        "video": base64.b64encode(rendered.data).decode("ascii"),
        "content_type": rendered.media_type,
        "width": spec.width,
        "height": spec.height,
        "num_frames": spec.num_frames,
        "fps": decimal(spec.frame_rate),
        "duration": decimal(spec.duration_s),
        "has_audio": spec.generate_audio,
        "seed": spec.seed,
        "prompt": spec.prompt,
        "original_prompt": rendered.order.original_prompt,
        "enhanced": rendered.order.enhanced,
        "adjustments": adjustments_json(rendered.order.adjustments),
        "timings": {name: round(seconds, 4) for name, seconds in rendered.timings_s.items()},
    }


def decimal(value: Any) -> float | int:
    """A Fraction as JSON and headers show it: 24, 23.976024."""
    number = round(float(value), 6)
    return int(number) if number.is_integer() else number
