"""Turn a command's options into the fields of a request to a server."""

from collections.abc import Mapping
from typing import Any

from ltx23_client import Keyframe, Lora

from pipelines.errors import SpecError
from server.commands.clip_size import CONTINUATION, RETAKE, parse_frame_rate
from server.commands.guidance_options import GUIDANCE_OPTIONS
from server.commands.keyframe_option import parse_keyframe
from server.commands.lora_options import LORA
from server.commands.streams import decode_prompt
from server.settings import LoraSettings, WeightSettings

# What only a model in this process has.
LOCAL_OPTIONS = (*WeightSettings.model_fields, *LoraSettings.model_fields, "save_latents")
AS_THEY_ARE = ("seed", "width", "height", "num_frames", "duration", "audio", "audio_start")


def read_remote_fields(container: str, **options: Any) -> tuple[str, dict[str, Any]]:
    """Return the prompt and the fields. Raises SpecError."""
    for name in LOCAL_OPTIONS:
        if options.pop(name, None) not in (None, ()):
            raise SpecError(name.replace("_", "-"), "cannot be given with --server, whose model is its own")
    prompt = decode_prompt(options.pop("prompt"))
    fields = {name: options.get(name) for name in (*AS_THEY_ARE, *GUIDANCE_OPTIONS)}
    fields["video_format"] = container
    if options.get("fps") is not None:
        fields["fps"] = float(parse_frame_rate(options["fps"]))
    fields["nag_audio"] = True if options.get("nag_audio") else None
    fields["generate_audio"] = None if options.get("generate_audio", True) else False
    fields["embed_metadata"] = True if options.get("embed_metadata") else None
    fields["tail_guard"] = None if options.get("tail_guard") == "off" else options.get("tail_guard")
    fields["loras"] = [_lora(text) for text in options.get("loras", ())] or None
    return prompt, fields | _pictures(options) | _source(options)


def _pictures(options: Mapping[str, Any]) -> dict[str, Any]:
    """A first frame beside keyframes is one of them."""
    parsed = [parse_keyframe(text) for text in options.get("keyframes", ())]
    keyframes = [Keyframe(each.path, each.frame_idx, each.strength, each.crf) for each in parsed]
    image = options.get("image")
    if not keyframes:
        return {"image": image}
    return {"keyframes": keyframes if image is None else [Keyframe(image, 0), *keyframes]}


def _lora(text: str) -> Lora:
    match = LORA.fullmatch(text)
    if match is None:
        raise SpecError("lora", f"should be NAME or NAME:STRENGTH, got {text!r}")
    name = match["lora"]
    return {"name": name} if match["strength"] is None else {"name": name, "strength": float(match["strength"])}


def _source(options: Mapping[str, Any]) -> dict[str, Any]:
    retake, continued = options.get("retake"), options.get("continue_from")
    if retake is not None and continued is not None:
        raise SpecError("continue-from", "cannot be given beside --retake")
    kept = options.get("retake_keep")
    if retake is None and kept is not None:
        raise SpecError("retake-keep", "needs --retake")
    if retake is not None:
        match = RETAKE.fullmatch(retake)
        if match is None:
            raise SpecError("retake", f"should be CLIP:START:END in seconds, got {retake!r}")
        seconds = {"start": float(match["start_s"]), "end": float(match["end_s"])}
        return {
            "video": match["path"],
            "retake": {**seconds, "video": kept != "video", "audio": kept != "audio"},
        }
    if continued is None:
        return {}
    match = CONTINUATION.fullmatch(continued)
    assert match is not None
    if options.get("num_frames") is not None:
        raise SpecError("num-frames", "cannot be given beside --continue-from with --server: give --duration")
    continuation = {"seconds": options.get("duration"), "context_frames": match["context_frames"]}
    sent = {name: float(value) for name, value in continuation.items() if value is not None}
    return {"video": match["path"], "continue_": sent, "duration": None}
