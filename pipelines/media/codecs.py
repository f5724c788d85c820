"""Describe how each container is written, as a table that needs no PyAV."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pipelines.spec import Container

SAMPLE_RATE = 48_000
# Those that AAC has.
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
CHANNELS = 2
PIXEL_FORMAT = "yuv420p"

MAX_ENCODER_THREADS = 8

# The part of a clip that is written at a time where it is played while it grows.
FRAGMENT_MS = 250


def encoder_threads(height: int) -> int:
    """Return one thread for every 64 rows, up to 8: beyond that a clip takes more processor time and more bytes.

    It depends on the clip alone, because x264 and libvpx write other bytes with another number of threads.
    """
    return min(max(height // 64, 1), MAX_ENCODER_THREADS)


_BITEXACT = {"flags": "+bitexact"}
_BT709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


@dataclass(frozen=True)
class Codec:
    """A codec: `encoder` writes it, readers of the file call it `name`, and `options` are the encoder's."""

    name: str
    encoder: str
    options: Mapping[str, str]


# PyAV's own thread_type is "slice", which costs x264 quality.
X264 = Codec("h264", "libx264", {"preset": "veryfast", "crf": "18", "thread_type": "frame"} | _BT709 | _BITEXACT)

# The quickest preset, with what an mp4 has without it: High profile and reordered frames.
FAST_X264 = Codec(
    "h264", "libx264", {**X264.options, "preset": "ultrafast", "8x8dct": "1", "coder": "cabac", "bf": "3"}
)


def nvenc(gpu: int | None) -> Codec:
    """Return the H.264 encoder of an NVIDIA GPU, or of any GPU if `gpu` is None.

    `cq` is its constant quality, as `crf` is that of x264.
    """
    options = {"preset": "p6", "tune": "hq", "profile": "high", "rc": "vbr", "cq": "19", "b": "0"}
    options |= {"bf": "3", "b_ref_mode": "middle", "rc-lookahead": "20", "spatial-aq": "1", "temporal-aq": "1"}
    options |= {"gpu": "any" if gpu is None else str(gpu)}
    return Codec("h264", "h264_nvenc", options | _BT709 | _BITEXACT)


@dataclass(frozen=True)
class ClipFormat:
    """One container.

    audio_frame: samples in a packet of sound. sample_rates: those that its codec takes. fragment_options: for a file
    that is read while it is written.
    pts_resolution_s, frame_resolution_s: how far a pts, and the duration of a frame, may be off in the file;
    zero where every frame rate is written exactly.
    """

    media_type: str
    suffix: str
    video: Codec
    audio: Codec
    audio_frame: int
    sample_rates: tuple[int, ...]
    options: Mapping[str, str]
    fragment_options: Mapping[str, str]
    pts_resolution_s: Fraction
    frame_resolution_s: Fraction


FORMATS: Mapping[Container, ClipFormat] = {
    Container.MP4: ClipFormat(
        media_type="video/mp4",
        suffix=".mp4",
        video=X264,
        audio=Codec("aac", "aac", {"b": "192k"} | _BITEXACT),
        audio_frame=1024,
        sample_rates=_AAC_RATES,
        # Edit lists count in the movie's timescale, by default milliseconds: the end of the sound would be cut.
        options={"movflags": "+faststart", "movie_timescale": str(SAMPLE_RATE), "fflags": "+bitexact"},
        # The head comes with the first fragment, because only then it can say where the picture and the sound begin.
        fragment_options={
            "movflags": "+delay_moov+default_base_moof",
            "frag_duration": str(FRAGMENT_MS * 1000),
            "fflags": "+bitexact+flush_packets",
        },
        pts_resolution_s=Fraction(0),
        frame_resolution_s=Fraction(0),
    ),
    Container.WEBM: ClipFormat(
        media_type="video/webm",
        suffix=".webm",
        video=Codec(
            "vp9",
            "libvpx-vp9",
            {
                "deadline": "realtime",
                "cpu-used": "6",
                "crf": "26",
                "b": "0",
                "row-mt": "1",
                "tile-columns": "2",
                "lag-in-frames": "0",
            }
            | _BT709
            | _BITEXACT,
        ),
        audio=Codec("opus", "libopus", {"b": "128k"} | _BITEXACT),
        audio_frame=960,
        # Opus takes some others, and its files say 48 kHz whatever it was given.
        sample_rates=(SAMPLE_RATE,),
        options={"fflags": "+bitexact"},
        fragment_options={
            "live": "1",
            "cluster_time_limit": str(FRAGMENT_MS),
            "fflags": "+bitexact+flush_packets",
        },
        # Matroska counts in milliseconds. A frame's duration is in nanoseconds, and libav reads it back
        # as the nearest fraction with terms up to 30000.
        pts_resolution_s=Fraction(1, 1000),
        frame_resolution_s=Fraction(1, 10**6),
    ),
}
