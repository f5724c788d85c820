"""Limits on images, checked before anything is decoded and published by GET /models and /openapi.json."""

MAX_FILE_BYTES = 32 * 2**20
MAX_PIXELS = 64_000_000
# For all images of a request together: four of the largest, or twenty photographs of 12 megapixels.
MAX_REQUEST_PIXELS = 4 * MAX_PIXELS
# CPU time for one image; 64 megapixels take a few seconds.
MAX_DECODE_SECONDS = 30
