"""Limits on the videos that clips are made from, checked before anything is decoded and published by GET /models."""

from fractions import Fraction

MAX_FILE_BYTES = 128 * 2**20
MAX_SECONDS = 120
MIN_SIDE, MAX_SIDE = 64, 4096
MAX_FRAME_RATE = Fraction(120)

SUGGESTED = "MP4, MOV, WebM or MKV file"
