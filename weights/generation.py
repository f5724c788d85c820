"""Tell the generation of LTX from a checkpoint's tensors."""

from collections.abc import Iterable
from enum import StrEnum

from weights.names import MODEL, published_transformer_name


class Generation(StrEnum):
    LTX_VIDEO = "LTX-Video 0.9"
    LTX_2_0 = "LTX-2.0"
    LTX_2_3 = "LTX-2.3"
    LTX_2_5 = "LTX-2.5"


# 2.5 has an embedding for generated keyframes, and its feed-forward layers have lost their biases.
KEYFRAME_EMBEDDING = f"{MODEL}keyframes_abs_pos_embedding"
FF_WEIGHT, FF_BIAS = (f"{MODEL}transformer_blocks.0.ff.net.2.{leaf}" for leaf in ("weight", "bias"))

# From 2.3 on the prompt is modulated by sigma.
PROMPT_MODULATION = f"{MODEL}prompt_adaln_single.linear.weight"

# From 2.0 on there is sound.
AUDIO_INPUT = f"{MODEL}audio_patchify_proj.weight"
VIDEO_INPUT = f"{MODEL}patchify_proj.weight"


def detect_module_generation(names: Iterable[str]) -> Generation | None:
    """Detect the generation by the names of diffusers' transformer."""
    return detect_generation(MODEL + published_transformer_name(name) for name in names)


def detect_generation(names: Iterable[str]) -> Generation | None:
    """Detect the generation; None if the names are not those of an LTX transformer."""
    known = set(names)
    if VIDEO_INPUT not in known:
        return None
    if AUDIO_INPUT not in known:
        return Generation.LTX_VIDEO
    lost_bias = FF_WEIGHT in known and FF_BIAS not in known
    if KEYFRAME_EMBEDDING in known or lost_bias or any("ff_bias" in name for name in known):
        return Generation.LTX_2_5
    return Generation.LTX_2_3 if PROMPT_MODULATION in known else Generation.LTX_2_0
