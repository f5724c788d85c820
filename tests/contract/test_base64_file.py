import base64
import random
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.media.image_limits import MAX_FILE_BYTES
from server.contract.parsing.base64_file import IMAGE, SLICE_CHARACTERS, FileKind, decode_base64_file, encode_base64

FILE = bytes(range(251, 256)) * 5 + b"\xfb\xff\xfe"


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "data:image/png;base64,", "DATA:image/jpeg;name=a.jpg;base64,", " data:;base64,\n", "data:image/png,"),
        *("base64,", "image/png;base64,", " Base64 , "),
    ],
)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
@pytest.mark.parametrize("size", [25, 26, 27, 28])
@pytest.mark.parametrize("padded", [True, False])
def test_every_variant_of_base64_is_decoded(prefix: str, encode, size: int, padded: bool) -> None:
    text = encode(FILE[:size]).decode()
    assert decode_base64_file(prefix + (text if padded else text.rstrip("=\n")), IMAGE) == FILE[:size]


@pytest.mark.parametrize("extra", range(5))
def test_a_large_image_is_whole(extra: int) -> None:
    data = bytes(range(251)) * 20_000 + FILE[:extra]
    assert encode_base64(data) == base64.b64encode(data).decode()
    assert decode_base64_file(encode_base64(data), IMAGE) == data


@pytest.mark.parametrize("text", ["Q U J D", " \t\r\n\f\vQUJD\n", "QU\r\nJD"])
def test_whitespace_is_ignored(text: str) -> None:
    assert decode_base64_file(text, IMAGE) == b"ABC"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "=",
        "%",
        "data:,",
        "QU%4",
        "=" * SLICE_CHARACTERS + "QUJD",
        "====",
        "data:image/png;base64,",
        "Q",
        "QUJDQ",
        "QUI=QUI=",
        "QU*D",
        "QUJD\x00",
        "\u00a0QUJD",
        "é",
    ],
)
def test_invalid_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64_file(text, IMAGE)


@pytest.mark.parametrize(
    ("size", "fits"), [(98, True), (99, True), (100, True), (101, False), (102, False), (999, False)]
)
def test_the_size_limit_is_exact(size: int, fits: bool) -> None:
    text = base64.encodebytes(bytes(size)).decode()
    if fits:
        assert len(decode_base64_file(text, FileKind("image", "PNG file", 100))) == size
    else:
        with pytest.raises(ValueError, match="at most"):
            decode_base64_file(text, FileKind("image", "PNG file", 100))


def test_the_size_is_checked_before_decoding(refuse) -> None:
    assert MAX_FILE_BYTES == 32 * 2**20
    with pytest.raises(ValueError, match="at most 32 MiB"):
        decode_base64_file("*" * (MAX_FILE_BYTES * 4 // 3 + 4), IMAGE)
    with pytest.raises(ValueError, match="at most 32 MiB"):
        decode_base64_file("data:image/png," + "%89" * (MAX_FILE_BYTES + 1), IMAGE)


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "base64,"])
@pytest.mark.parametrize("size", [25, 26, 27])
def test_percent_encoded_base64_is_decoded(prefix: str, size: int) -> None:
    text = quote(base64.b64encode(FILE[:size]).decode(), safe="")
    assert "%2F" in text
    assert decode_base64_file(prefix + text, IMAGE) == FILE[:size]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("data:image/png," + quote(FILE), FILE),
        ("data:," + "".join(f"%{byte:02x}" for byte in FILE), FILE),
        ("data:image/svg+xml;utf8,<svg id='é'/>", "<svg id='é'/>".encode()),
    ],
)
def test_a_data_url_without_base64_is_decoded(text: str, data: bytes) -> None:
    assert decode_base64_file(text, IMAGE) == data


@pytest.mark.parametrize("shift", range(5))
def test_an_image_decoded_in_several_slices_is_whole(shift: int) -> None:
    data = random.Random(shift).randbytes(SLICE_CHARACTERS * 2 + shift)
    text = base64.b64encode(data).decode()
    assert decode_base64_file(" " * shift + text[:shift] + "\n" * shift + text[shift:], IMAGE) == data
    assert decode_base64_file("base64," + " " * shift + quote(text, safe=""), IMAGE) == data


@settings(deadline=None)
@given(st.binary(min_size=1))
def test_an_encoded_image_decodes_to_the_same_bytes(data: bytes) -> None:
    assert decode_base64_file(base64.urlsafe_b64encode(data).decode().rstrip("="), IMAGE) == data


@settings(deadline=None)
@given(st.text())
def test_any_text_decodes_or_raises_value_error(text: str) -> None:
    with suppress(ValueError):
        assert decode_base64_file(text, IMAGE)
