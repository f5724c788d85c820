"""One clip as it was ordered: what will be rendered, and what there is to tell of it. Frozen, free of HTTP."""

from dataclasses import dataclass

from pipelines.spec import GenerationSpec
from server.contract import Adjustment


@dataclass(frozen=True)
class Order:
    """original_prompt: as it was sent; `spec` has the one that is rendered. requested_duration_s: None: no length was
    asked for, and None of videos that an older server stored.
    """

    spec: GenerationSpec
    original_prompt: str
    enhanced: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    enhance_s: float = 0.0
    requested_duration_s: float | None = None
