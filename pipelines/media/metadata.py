"""Describe in a clip's file how it was made, if the request asks for it."""

import json
from importlib.metadata import version
from typing import Any

from pipelines.spec import GenerationSpec

MODEL = "LTX-2.3"


def describe_clip(spec: GenerationSpec) -> dict[str, str]:
    """Return the tags of a file: `comment` holds JSON. The same specification gives the same text."""
    facts: dict[str, Any] = {
        "generator": f"ltx23-server {version('ltx23-server')}",
        "model": MODEL,
        "prompt": spec.prompt,
        "seed": spec.seed,
        "width": spec.width,
        "height": spec.height,
        "num_frames": spec.delivered_frames,
        "fps": str(spec.frame_rate),
        "stages": spec.stages,
    }
    if spec.keyframes:
        facts["keyframes"] = [
            {"frame_idx": keyframe.frame_idx, "strength": keyframe.strength, "crf": keyframe.crf}
            for keyframe in spec.keyframes
        ]
    if (guidance := spec.effective_guidance) is not None:
        facts |= {
            "negative_prompt": guidance.negative_prompt,
            "nag_scale": guidance.scale,
            "nag_alpha": guidance.alpha,
            "nag_tau": guidance.tau,
            "nag_audio": guidance.audio,
        }
    if spec.loras:
        facts["loras"] = [{"name": lora.name, "strength": lora.strength} for lora in spec.loras]
    if spec.tail_guard:
        facts["tail_guard"] = "on"
    if spec.sound is not None:
        facts["audio"] = "given"
    if spec.source is not None:
        facts["source"] = type(spec.source).__name__.lower()
    return {"comment": json.dumps(facts, ensure_ascii=False)}
