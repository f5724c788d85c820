"""Report which parts of the input pictures are cropped."""

from collections.abc import Sequence

from pipelines.media.image_crop import Crop, Size
from server.contract.adjustments import Adjustment, refusal
from server.contract.errors import FieldError, RequestInvalid
from server.contract.images import ResolvedImage


def report_crops(
    images: Sequence[ResolvedImage], pictures: Sequence[Size], clip: Size, *, strict: bool
) -> tuple[Adjustment, ...]:
    """Report images that are cropped by more than the rounding of the clip's size. Raises RequestInvalid if strict."""
    found = [
        (image, Adjustment(image.field, f"{picture} pixels", f"{crop.shown} pixels", str(crop)))
        for image, picture in zip(images, pictures, strict=True)
        if (crop := Crop(picture, clip)).is_told
    ]
    if found and strict:
        raise RequestInvalid(
            [FieldError(image.loc, refusal(adjustment), "adjustment_refused") for image, adjustment in found]
        )
    return tuple(adjustment for _, adjustment in found)
