"""Recognise pictures in a request, by field name and by value, without decoding them."""

import base64
import binascii
import re
from typing import Any

MAX_NAME_CHARS = 64

FIRST = frozenset({"first", "start", "init", "initial", "input"})
LAST = frozenset({"last", "end", "final", "tail"})
NOUNS = frozenset({"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "frame"})
NOUN = re.compile("ima?ge?|picture|photo|frame", re.IGNORECASE)
ENCODINGS = frozenset({"url", "urls", "uri", "b64", "base64", "data"})
# OpenAI's name, whose words alone could mean any kind of reference.
FIRST_FRAME_NAMES = frozenset({"input_reference"})
FIRST_WORDS = FIRST | NOUNS | ENCODINGS
LAST_WORDS = LAST | NOUNS | ENCODINGS
FRAME_NUMBER = frozenset({"frame", "keyframe", "index", "idx", "number"})

# Keys of the picture in an object such as {"type": "image_url", "image_url": {"url": "..."}}.
PICTURE_KEYS = frozenset({"image_url", "url", "uri", "image", "image_b64", "b64_json", "base64", "b64", "data"})
# Other keys that such an object may have.
SAFE_KEYS = frozenset({"type", "detail", "mime_type", "mimeType", "media_type", "content_type", "format"})
SAFE_KEYS |= {"name", "filename"}
MAX_WRAPPINGS = 4

URL = re.compile(r"\s*(?!data:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
WEB_URL = re.compile(r"\s*https?://", re.IGNORECASE)
PICTURE_URL = re.compile(
    r"\s*https?://[^\s?#]+\.(png|jpe?g|webp|gif|bmp|tiff?|avif|hei[cf])(?=[?#\s]|$)", re.IGNORECASE
)
MEDIA_DATA_URL = re.compile(r"\s*data:(image|video|audio)/", re.IGNORECASE)
BASE64_PREFIX = re.compile(r"\s*(data:[^,]{0,128},|base64,)", re.IGNORECASE)
STANDARD_ALPHABET = str.maketrans("-_", "+/")
# PNG, JPEG, GIF, WebP, TIFF, BMP, ISO files (AVIF, HEIC, MP4), Matroska and WebM.
MAGIC = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*|BM.{4}\0{4}|.{4}ftyp|\x1aE\xdf\xa3", re.DOTALL
)
# A clip or a sound by its address: in a field such as `video_url`, `audio_path` or `reference_video`.
CLIP_OR_SOUND = frozenset({"video", "videos", "clip", "audio", "audios", "sound", "voice"})
MEDIA_WORDS = CLIP_OR_SOUND | ENCODINGS | {"path", "file", "input", "init", "source", "reference"}
MEDIA_ADDRESS = re.compile(
    r"\s*([a-z][a-z0-9+.-]*://|\S*\.(mp4|m4v|mov|webm|mkv|avi|mp3|wav|m4a|aac|ogg|opus|flac)\s*$)", re.IGNORECASE
)
CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
NOT_A_WORD = re.compile(r"[^a-z0-9]+")
HEAD_CHARS = 2048
MAGIC_CHARS = 24


def is_first_frame(name: str) -> bool:
    """Return whether a name stands for the clip's first frame: `image_url`, `firstFrameImage`, `init_image`."""
    if name in FIRST_FRAME_NAMES:
        return True
    words = _picture_words(name)
    # A bare `frame` may be a frame number.
    return words <= FIRST_WORDS and bool(words & NOUNS) and (bool(words & FIRST) or words != {"frame"})


def is_last_frame(name: str) -> bool:
    """Return whether a name stands for the clip's last frame: `end_image`, `lastFrameUrl`, `image_tail`."""
    words = _picture_words(name)
    return words <= LAST_WORDS and bool(words & NOUNS) and bool(words & LAST)


def is_entry_image(name: str, value: object) -> bool:
    """Return whether a keyframe's field is its image."""
    words = _words(name)
    if words == {"frame"}:
        return holds_picture(name, value)
    return words <= NOUNS | ENCODINGS | {"input"} and bool(words - {"input"})


def is_entry_frame(name: str, value: object) -> bool:
    """Return whether a keyframe's field is its frame number."""
    words = _words(name)
    return bool(words) and words <= FRAME_NUMBER and not is_entry_image(name, value)


def could_be_picture(value: object) -> bool:
    """Return False for a number or a boolean, which a name such as `end_frame` may also stand for."""
    return isinstance(value, list | dict) or (isinstance(value, str) and not re.fullmatch(r"[\s0-9.+-]{0,32}", value))


def picture_in(value: Any) -> Any:
    """Return the only picture in a list or in an object such as `{"url": ...}`; otherwise return `value` itself."""
    for _ in range(MAX_WRAPPINGS):
        inner = _only_picture(value)
        if inner is None:
            return value
        value = inner
    return value


def _only_picture(value: Any) -> Any:
    if isinstance(value, list):
        items = [item for item in value if item not in (None, "")]
        return items[0] if len(items) == 1 else None if items else ""
    if not isinstance(value, dict):
        return None
    said = [(name, inner) for name, inner in value.items() if inner is not None and name not in SAFE_KEYS]
    return said[0][1] if len(said) == 1 and said[0][0] in PICTURE_KEYS else None


def is_url(text: str) -> bool:
    """Return whether `text` is an address instead of the content itself."""
    return URL.match(text) is not None


def holds_picture(name: str, value: object) -> bool:
    """Return whether `value` is or contains an image, a clip or a sound: base64, a data URL, or its address."""
    found = [(name, value)]
    while found:
        name, value = found.pop()
        if isinstance(value, str):
            if _is_picture(name, value[:HEAD_CHARS]):
                return True
        elif isinstance(value, dict):
            # In `{"video": {"url": ...}}` the outer name says what it is.
            found.extend((name if _words(inner) <= ENCODINGS else inner, item) for inner, item in value.items())
        elif isinstance(value, list):
            found.extend((name, item) for item in value)
    return False


def _is_picture(name: str, head: str) -> bool:
    if MEDIA_DATA_URL.match(head):
        return True
    if _is_clip_or_sound(name) and MEDIA_ADDRESS.match(head):
        return True
    if WEB_URL.match(head):
        return PICTURE_URL.match(head) is not None or bool(_words(name) & NOUNS)
    prefix = BASE64_PREFIX.match(head)
    text = "".join(head[prefix.end() if prefix else 0 :].split())[:MAGIC_CHARS].translate(STANDARD_ALPHABET)
    text = text.rstrip("=")
    try:
        return MAGIC.match(base64.b64decode(text[: len(text) // 4 * 4], validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


def _is_clip_or_sound(name: str) -> bool:
    words = _words(name)
    return words <= MEDIA_WORDS and bool(words & CLIP_OR_SOUND)


def _picture_words(name: str) -> frozenset[str]:
    """Return the words of a name that may stand for a picture, and none for any other name."""
    return _words(name) if NOUN.search(name) else frozenset()


def _words(name: str) -> frozenset[str]:
    """Return the words of a snake_case or camelCase name in lower case; none if the name is too long to be known."""
    if len(name) > MAX_NAME_CHARS:
        return frozenset()
    separated = CAMEL_HUMP.sub("_", name).lower()
    return frozenset(NOT_A_WORD.split(separated)) - {""}
