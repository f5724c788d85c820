"""Limits on sounds, checked before anything is decoded and published by GET /models and /openapi.json."""

MAX_FILE_BYTES = 32 * 2**20
MAX_SECONDS = 600
MAX_CHANNELS = 8
# Those that audio interfaces and encoders use. Between others the resampler's kernel would take gigabytes.
SAMPLE_RATES = (
    *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100),
    *(48_000, 64_000, 88_200, 96_000, 176_400, 192_000),
)
# Full scale is 1; encoders exceed it a little, and a file in another scale by far.
MAX_PEAK = 16
