"""The limits of a request: those that GET /models publishes, and those that only fields and checks use."""

from pipelines.geometry import (
    MAX_DURATIONS_S,
    MAX_FRAME_RATE,
    MAX_LONG_SIDE,
    MIN_FRAME_RATE,
    MIN_NUM_FRAMES,
    MIN_SIDE,
    max_num_frames,
)
from pipelines.media import sound_limits, source_limits
from pipelines.media.image_format import ACCEPTED
from pipelines.media.image_limits import MAX_FILE_BYTES, MAX_PIXELS, MAX_REQUEST_PIXELS
from pipelines.media.sound_format import ACCEPTED as ACCEPTED_SOUNDS
from pipelines.spec import SIZE_MULTIPLE

MAX_PROMPT_CHARACTERS = 10_000
# A side above MAX_LONG_SIDE is clamped, one above this is refused.
MAX_SENT_SIDE = 16_384
# One for each frame of the longest clip.
MAX_KEYFRAMES = max_num_frames(MIN_SIDE, MIN_SIDE, MAX_FRAME_RATE)

_SIDE = {"min": MIN_SIDE, "max": MAX_LONG_SIDE, "multiple_of": SIZE_MULTIPLE}
PUBLISHED = {
    "width": _SIDE,
    "height": _SIDE,
    "num_frames": {"min": MIN_NUM_FRAMES, "form": "8k + 1"},
    "fps": {"min": int(MIN_FRAME_RATE), "max": int(MAX_FRAME_RATE)},
    "duration_s": {f"{width}x{height}": seconds for (width, height), seconds in MAX_DURATIONS_S.items()},
    "image_bytes": MAX_FILE_BYTES,
    "image_pixels": MAX_PIXELS,
    "request_pixels": MAX_REQUEST_PIXELS,
    "sound_bytes": sound_limits.MAX_FILE_BYTES,
    "sound_s": sound_limits.MAX_SECONDS,
    "sound_channels": sound_limits.MAX_CHANNELS,
    "video_bytes": source_limits.MAX_FILE_BYTES,
    "video_s": source_limits.MAX_SECONDS,
    "prompt_characters": MAX_PROMPT_CHARACTERS,
}

_UP_TO_1080P, _AT_1440P, _ABOVE = MAX_DURATIONS_S.values()
DURATION = f"At most {_UP_TO_1080P} s up to 1080p, {_AT_1440P} s at 1440p, {_ABOVE} s above."
*_FORMATS, _LAST_FORMAT = ACCEPTED.values()
IMAGE = (
    f"{', '.join(_FORMATS)} or {_LAST_FORMAT} in base64, `data:` prefix or not, up to "
    f"{MAX_FILE_BYTES // 2**20} MiB decoded and {MAX_PIXELS // 10**6} megapixels. Scaled to cover the clip and cropped."
)
*_SOUND_FORMATS, _LAST_SOUND_FORMAT = ACCEPTED_SOUNDS
SOUND = (
    f"{', '.join(_SOUND_FORMATS)} or {_LAST_SOUND_FORMAT} in base64, `data:` prefix or not, up to "
    f"{sound_limits.MAX_FILE_BYTES // 2**20} MiB decoded and {sound_limits.MAX_SECONDS // 60} minutes."
)
VIDEO = (
    f"An {source_limits.SUGGESTED} in base64, `data:` prefix or not, up to {source_limits.MAX_FILE_BYTES // 2**20} MiB "
    f"decoded and {source_limits.MAX_SECONDS} s."
)
