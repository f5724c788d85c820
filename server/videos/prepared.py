"""A request that is ready to be rendered. Frozen and independent of HTTP."""

from dataclasses import dataclass

from pipelines.media.codecs import FORMATS
from pipelines.spec import GenerationSpec
from server.contract.adjustments import Adjustment
from server.jobs.job import Job


@dataclass(frozen=True)
class PreparedRequest:
    """What to render, and what to report about it. original_prompt: as sent; `spec` has the prompt that is rendered.

    requested_duration_s: None if no duration was requested, or if an older server stored the video.
    """

    spec: GenerationSpec
    original_prompt: str
    enhanced: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    enhance_s: float = 0.0
    requested_duration_s: float | None = None

    @property
    def file_name(self) -> str:
        return f"clip{FORMATS[self.spec.container].suffix}"

    def timings_s(self, job: Job) -> dict[str, float]:
        """Return the seconds of each stage: queue, enhance, and the worker's stages once `job` is done."""
        return {"queue": job.queued_s, "enhance": self.enhance_s, **job.timings_s}
