"""Say what a file is that should be safetensors, by its first bytes, and what to do about it."""

import re

# Enough for every signature, a tar archive's at 257 included, and for the first words of a text.
START_BYTES = 512

SAFETENSORS_NEEDED = "a .safetensors file is needed"
AGAIN = "download it again, with `ltx23 weights pull` or logged in to the hub"
PICKLE = "which can run any code and is not read; save its tensors as .safetensors"

SIGNATURES = (
    (b"GGUF", f"is a GGUF file, which is not read here; {SAFETENSORS_NEEDED}"),
    (
        b"version https://git-lfs.github.com/spec/",
        "is a Git LFS pointer, which stands for the file and does not hold it; fetch the file with `git lfs pull`",
    ),
    (b"PK\x03\x04", f"is a zip archive, such as a PyTorch checkpoint (.ckpt, .pt, .bin): a pickle, {PICKLE}"),
    (b"\x80\x02", f"is a pickle (.ckpt, .pt, .bin), {PICKLE}"),
    (b"\x80\x03", f"is a pickle (.ckpt, .pt, .bin), {PICKLE}"),
    (b"\x80\x04", f"is a pickle (.ckpt, .pt, .bin), {PICKLE}"),
    (b"\x80\x05", f"is a pickle (.ckpt, .pt, .bin), {PICKLE}"),
    (b"\x89HDF\r\n", f"is an HDF5 file; {SAFETENSORS_NEEDED}"),
    (b"\x1f\x8b", "is compressed by gzip; unpack it first"),
    (b"BZh", "is compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "is compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"Rar!", "is a RAR archive; unpack it first"),
    (b"\x89PNG", f"is a PNG picture; {SAFETENSORS_NEEDED}"),
    (b"\xff\xd8\xff", f"is a JPEG picture; {SAFETENSORS_NEEDED}"),
)
TAR_SIGNATURE, TAR_OFFSET = b"ustar", 257

MARKUP = re.compile(rb"<(!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)
QUOTED_CHARACTERS = 60


def identify(start: bytes) -> str | None:
    """Return what a file that begins with `start` is, as a sentence without its subject; None when it is unknown."""
    for signature, sentence in SIGNATURES:
        if start.startswith(signature):
            return sentence
    if start[TAR_OFFSET:].startswith(TAR_SIGNATURE):
        return "is a tar archive; unpack it first"
    if start and not any(start):
        return f"begins with zeros: its download was never written; {AGAIN}"
    return _identify_text(start)


def _identify_text(start: bytes) -> str | None:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if MARKUP.match(text):
        return f"is an HTML page, such as a login or an error page of a web server; {AGAIN}"
    if b'"weight_map"' in text:
        return "is the index of a model's shards; give the folder that it is in"
    if text.startswith((b"{", b"[")):
        return f"is JSON, such as a web server's error ({_quoted(text)}); {AGAIN}"
    if text and _is_text(text):
        return f"is a text file ({_quoted(text)}); {AGAIN}"
    return None


def _is_text(start: bytes) -> bool:
    """Return whether the bytes are text, whose last character may be truncated."""
    text = start.decode("utf-8", "replace").removesuffix("\N{REPLACEMENT CHARACTER}")
    return all(character.isprintable() or character.isspace() for character in text) and "\ufffd" not in text


def _quoted(text: bytes) -> str:
    words = " ".join(text.decode("utf-8", "replace").split())
    return repr(words[:QUOTED_CHARACTERS] + ("..." if len(words) > QUOTED_CHARACTERS else ""))
