"""Check the images of a request: each distinct file once, and the total number of pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.media.image_crop import Size
from pipelines.media.image_limits import MAX_PIXELS, MAX_REQUEST_PIXELS
from server.contract.errors import FieldError, RequestInvalid
from server.contract.images import ResolvedImage
from server.uploads.checker import Checked, MediaChecker


async def check_images(
    checker: MediaChecker, images: Sequence[ResolvedImage], paths: Sequence[Path], owner: str | None
) -> list[Size]:
    """Return the size of each image as shown. Raises RequestInvalid, or NotReady if the server stops.

    paths: the file of each image. Every image is decoded completely, because a later error could no longer name its
    field.
    """
    distinct = list(dict.fromkeys(paths))
    if len(distinct) * MAX_PIXELS > MAX_REQUEST_PIXELS:
        headers = {path: await checker.check(path, owner, decode=False) for path in distinct}
        _raise_if_wrong(images, paths, _with_sum(headers))
    found = {path: await checker.check(path, owner) for path in distinct}
    _raise_if_wrong(images, paths, found)
    return [Size(found[path].width, found[path].height) for path in paths]


def _with_sum(headers: Mapping[Path, Checked]) -> dict[Path, Checked]:
    """Mark the image that brings the total number of pixels above the limit."""
    checked, pixels = dict(headers), 0
    for path, header in headers.items():
        pixels += header.pixels
        if pixels > MAX_REQUEST_PIXELS:
            limit = f"{MAX_REQUEST_PIXELS // 10**6} megapixels"
            error = f"with this one the images of the request have more than {limit}: send fewer or smaller ones"
            checked[path] = Checked(error=error)
            break
    return checked


def _raise_if_wrong(images: Sequence[ResolvedImage], paths: Sequence[Path], found: Mapping[Path, Checked]) -> None:
    """Raise RequestInvalid if any image cannot be used."""
    errors = [
        FieldError(image.loc, error, "image_invalid")
        for image, path in zip(images, paths, strict=True)
        if (error := found[path].error)
    ]
    if errors:
        raise RequestInvalid(errors)
