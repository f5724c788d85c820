"""The fields of a request that have another name in this client than in the server's answers."""

OUR_NAMES: dict[str | int, str] = {
    "input_image_b64": "image",
    "audio_b64": "audio",
    "video_b64": "video",
    "image_b64": "image",
    "frame_idx": "frame",
    "continue": "continue_",
}


def our_name(field: str) -> str:
    """Translate a field such as `keyframes.1.image_b64`."""
    return ".".join(OUR_NAMES.get(part, part) for part in field.split("."))
