"""Images of a request, decoded once to see that they are sound, off the event loop."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pipelines.errors import ImageError
from pipelines.media.image import decode_image
from server.contract import FieldError, RequestInvalid, ResolvedImage
from server.heap import Heap

# One image at a time, whoever sent it: 64 megapixels are several hundred megabytes while they are decoded.
IMAGE_CHECKS = ThreadPoolExecutor(1, thread_name_prefix="image-check")

_heap = Heap()


async def check_images(images: Iterable[ResolvedImage]) -> None:
    """To the last pixel: what is found out later could no longer be named by its field. Raises RequestInvalid."""
    loop = asyncio.get_running_loop()
    found = [await loop.run_in_executor(IMAGE_CHECKS, _image_error, image) for image in images]
    errors = [error for error in found if error is not None]
    if errors:
        raise RequestInvalid(errors)


def _image_error(image: ResolvedImage) -> FieldError | None:
    try:
        decode_image(image.data)
    except ImageError as exc:
        return FieldError(image.loc, str(exc), "image_invalid")
    finally:
        _heap.trim()
    return None
