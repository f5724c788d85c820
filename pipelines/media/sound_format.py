"""Recognise the format of a sound file by its first bytes, and say which codecs are read in it.

FFmpeg is never left to guess: some of its demuxers open other files that a playlist names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.errors import SoundError

SUGGESTED = "WAV, MP3, M4A, Ogg or FLAC file"
REMEDY = f"send a {SUGGESTED}"
ACCEPTED = ("WAV", "MP3", "M4A", "Ogg", "FLAC")


@dataclass(frozen=True)
class SoundFormat:
    """A file format: the name that people know, FFmpeg's demuxer, and the codecs that are read."""

    name: str
    demuxer: str
    codecs: frozenset[str]


_PCM = frozenset(f"pcm_{kind}" for kind in ("u8", "s16le", "s24le", "s32le", "f32le", "f64le", "mulaw", "alaw"))
_MP3 = frozenset({"mp3", "mp3float"})
WAV = SoundFormat("WAV", "wav", _PCM)
MP3 = SoundFormat("MP3", "mp3", _MP3)
M4A = SoundFormat("M4A", "mov", frozenset({"aac", "alac"}) | _MP3)
OGG = SoundFormat("Ogg", "ogg", frozenset({"vorbis", "opus", "libopus", "flac"}))
FLAC = SoundFormat("FLAC", "flac", frozenset({"flac"}))

_SIGNATURES: Mapping[bytes, SoundFormat] = {b"ID3": MP3, b"fLaC": FLAC, b"OggS": OGG}
_REFUSED: Mapping[bytes, str] = {
    b"\x1a\x45\xdf\xa3": "a WebM or Matroska file",
    b"FORM": "an AIFF sound",
    b".snd": "an AU sound",
    b"#!AMR": "an AMR sound",
    b"caff": "a CAF sound",
    b"\x30\x26\xb2\x75": "a Windows Media file",
    b"MThd": "a MIDI file, which holds notes and no sound",
    b"FLV\1": "a Flash video",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}
# The first two bytes of a frame: MPEG 1, 2 and 2.5, with and without a checksum. In MP3 a bit rate and a sample rate
# follow.
_MPEG_LAYER_3 = frozenset({b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2"})
_ADTS = frozenset({b"\xff\xf1", b"\xff\xf9", b"\xff\xf0", b"\xff\xf8"})


def sound_format(data: bytes) -> SoundFormat:
    """Return the format of a file that begins with `data`. Raises SoundError for any that is not read."""
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return WAV
    if data[4:8] == b"ftyp":
        return M4A
    found = next((known for signature, known in _SIGNATURES.items() if data.startswith(signature)), None)
    if found is not None:
        return found
    if data[:2] in _MPEG_LAYER_3 and data[2:3] and data[2] >> 4 not in (0, 15) and data[2] >> 2 & 3 != 3:
        return MP3
    if data[:2] in _ADTS:
        raise SoundError(f"it is an AAC stream without a container: {REMEDY}")
    refused = next((what for signature, what in _REFUSED.items() if data.startswith(signature)), None)
    raise SoundError(f"it is {refused or 'not a sound of a known format'}: {REMEDY}")
