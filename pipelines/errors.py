"""Errors between a specification and a clip.

PipelineError
+-- SpecError        a field of the specification is out of bounds
+-- ImageError       an image cannot be used: not an image, truncated or too large
+-- SoundError       a sound cannot be used: not a sound, truncated, too long or too large
+-- VideoError       a video cannot be used: not a video, truncated, too long or too large
+-- OutputError      the models produced NaN, or black frames throughout
+-- OutOfMemory      the device ran out of memory; what the clip used is free again
+-- MuxError         the clip could not be written, or differs from the specification
+-- ProvenanceError  a clip cannot be signed, or the key that would sign it is wrong
+-- Cancelled        the caller asked to stop; raised between steps
"""


class PipelineError(Exception):
    """Base of every error that this package raises on purpose."""


class SpecError(PipelineError, ValueError):
    """A field of a specification is out of bounds.

    `field` is its name in the specification, with an index for lists: `keyframes.1.frame_idx`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ImageError(PipelineError, ValueError):
    """The bytes are not an image that can condition a clip; the message says why and what is accepted."""


class SoundError(PipelineError, ValueError):
    """The bytes are not a sound that can condition a clip; the message says why and what is accepted."""


class VideoError(PipelineError, ValueError):
    """The bytes are not a video that a clip can be made from; the message says why and what is accepted."""


class OutputError(PipelineError):
    """The models produced output that must not be sent."""


class OutOfMemory(PipelineError):
    """The clip needs more memory than the device has left."""

    @classmethod
    def of(cls, clip: object) -> "OutOfMemory":
        """Return the error for a clip of this size."""
        return cls(f"the device ran out of memory for {clip}; a smaller or shorter clip may fit")


class MuxError(PipelineError):
    """The clip could not be written, or the written file differs from the specification."""


class ProvenanceError(PipelineError):
    """A clip cannot be signed, or the key that would sign it is wrong; the message says why."""


class Cancelled(PipelineError):
    """The caller asked to stop."""
