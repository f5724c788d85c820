"""What can go wrong between a spec and a clip.

PipelineError
+-- SpecError        the spec asks for something no clip can be (names the field)
+-- ImageError       an image that cannot be used (not one, cut short, too large)
+-- OutputError      what the models computed is no picture or no sound: not a number, or black from end to end
+-- OutOfMemory      the device had too little for this clip; what it took is free again
+-- MuxError         the clip could not be written, or what was written is not what was asked
+-- Cancelled        the caller asked to stop; raised between steps
"""


class PipelineError(Exception):
    """Base of everything this package raises on purpose."""


class SpecError(PipelineError, ValueError):
    """A field of a spec is out of bounds.

    `field` is its name in the spec, with an index for lists: `keyframes.1.frame_idx`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ImageError(PipelineError, ValueError):
    """The bytes are not an image that can condition a clip; the message says why and what would be right."""


class OutputError(PipelineError):
    """The models computed what cannot be sent."""


class OutOfMemory(PipelineError):
    """The clip took more memory than the device has left."""


class MuxError(PipelineError):
    """The clip could not be written, or the file written differs from what was asked for."""


class Cancelled(PipelineError):
    """The caller asked to stop."""
