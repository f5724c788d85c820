"""Choose the encoder of mp4 clips. Imports PyAV."""

from typing import TYPE_CHECKING

from pipelines.media.codecs import X264, Codec, nvenc
from pipelines.media.trial import encoding_problem
from weights.errors import WeightsError

if TYPE_CHECKING:
    import torch


class EncoderError(WeightsError):
    """The encoder that the settings name does not work on this machine."""


def resolve_h264(name: str, device: "torch.device") -> Codec:
    """Return the encoder that `--encoder` names, on the worker's own card. Raises EncoderError if it does not work.

    `auto` is x264: nobody has compared NVENC's pictures with its yet.
    """
    if name != "nvenc":
        return X264
    codec = nvenc((device.index or 0) if device.type == "cuda" else None)
    problem = encoding_problem(codec)
    if problem:
        raise EncoderError(
            f"LTX23_ENCODER / --encoder nvenc: NVENC does not encode H.264 here: {problem}; use x264 (H100 and H200 "
            "have no NVENC; a container needs `video` in NVIDIA_DRIVER_CAPABILITIES)"
        )
    return codec
