import base64

import pytest

from server.contract.errors import RequestInvalid
from server.contract.parsing.form import MAX_ESCAPES, MAX_FIELDS, parse_multipart, parse_urlencoded, read_form
from server.contract.parsing.json_body import MAX_VALUES


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers, "", ""])
    return b"--B\r\n" + head.encode() + data + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--B--\r\n"


def parse(*parts: bytes) -> list[tuple[str, str]]:
    return parse_multipart(multipart(*parts), b"B")


def test_text_and_files_are_parsed() -> None:
    image = bytes(range(256))
    assert parse(
        part('name="prompt"', "ein Füchslein 🦊".encode()),
        part('name="input_reference"; filename="a.png"', image, "Content-Type: image/png"),
        part('name="keyframes"; filename="keyframes.json"', b"[]", "Content-Type: application/json"),
        part('name="prompt"', b"again"),
    ) == [
        ("prompt", "ein Füchslein 🦊"),
        ("input_reference", base64.b64encode(image).decode()),
        ("keyframes", "[]"),
        ("prompt", "again"),
    ]


def test_an_empty_file_is_absent_and_empty_text_is_not() -> None:
    assert parse(part('name="image"; filename=""', b""), part('name="prompt"', b"")) == [("prompt", "")]


def test_data_that_looks_like_a_boundary_is_kept() -> None:
    assert parse(part('name="prompt"', b"\r\n--A--\r\n--")) == [("prompt", "\r\n--A--\r\n--")]


@pytest.mark.parametrize("part_headers", [["Content-Type: text/plain; charset=latin-1"], []])
def test_text_is_decoded_as_utf_8_whatever_its_part_says(part_headers: list[str]) -> None:
    assert parse(part('name="prompt"', "für".encode(), *part_headers)) == [("prompt", "für")]
    with pytest.raises(RequestInvalid) as caught:
        parse(part('name="prompt"', "für".encode("latin-1"), *part_headers))
    assert caught.value.detail[0]["loc"] == ["body", "prompt"]


GOOD = multipart(part('name="prompt"', b"a fox"), part('name="width"', b"256"))


@pytest.mark.parametrize("kept", range(len(b"--B\r\n"), len(GOOD) - 3))
def test_a_form_without_a_closing_boundary_is_refused(kept: int) -> None:
    with pytest.raises(RequestInvalid):
        parse_multipart(GOOD[:kept], b"B")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        b"--other--\r\n",
        multipart(b"--B\r\nContent-Type: text/plain\r\n\r\nno name\r\n"),
        multipart(b"--B\r\n\r\nno headers\r\n"),
        multipart(b"--B\r\nbad header\r\n\r\nx\r\n"),
        multipart(part('name="' + "n" * 100_000 + '"', b"x")),
        multipart(b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n'),
    ],
)
def test_an_invalid_form_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_multipart(body, b"B")
    assert caught.value.detail[0]["type"] == "form_invalid"


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(RequestInvalid):
        parse_multipart(GOOD, b"B" * 10_000)


def test_an_urlencoded_form_is_parsed() -> None:
    assert parse_urlencoded(b"prompt=a+red%20fox+%F0%9F%A6%8A&width=256&empty=&&flag&a=1%2B1=2") == [
        ("prompt", "a red fox 🦊"),
        ("width", "256"),
        ("empty", ""),
        ("flag", ""),
        ("a", "1+1=2"),
    ]


def test_too_many_escapes_are_refused() -> None:
    with pytest.raises(RequestInvalid, match="multipart/form-data"):
        parse_urlencoded(b"image=" + b"%2B" * (MAX_ESCAPES + 1))


def test_a_large_file_is_whole() -> None:
    image = bytes(range(251)) * 20_000
    assert parse(part('name="image"; filename="a"', image)) == [("image", base64.b64encode(image).decode())]


def test_urlencoded_text_must_be_utf_8() -> None:
    with pytest.raises(RequestInvalid):
        parse_urlencoded(b"prompt=f%FCr")


def test_too_many_fields_or_values_are_refused() -> None:
    many_values = "[" + "[]," * (MAX_VALUES // 2)
    for form in (
        lambda: parse(*[part('name="a"', b"")] * (MAX_FIELDS + 1)),
        lambda: parse_urlencoded(b"a&" * (MAX_FIELDS + 1)),
        lambda: parse(part('name="keyframes"', many_values.encode())),
        lambda: parse_urlencoded(b"keyframes=" + many_values.encode()),
    ):
        with pytest.raises(RequestInvalid, match="at most"):
            form()


def test_a_form_becomes_nested_fields() -> None:
    fields = [("prompt", "[12]"), ("seed", "7"), ("generate_audio", "True"), ("seconds", "4"), ("width", "wide")]
    fields += [("keyframes[][frame_idx]", "0"), ("keyframes[][image_b64]", "1234")]
    fields += [("keyframes[][frame_idx]", "-1"), ("keyframes[][image_b64]", "5678")]
    fields += [("images[1][image_b64]", "b"), ("images[0][image_b64]", "a")]
    fields += [("input_reference[image_url][url]", "data:,"), ("extra_body", '{"fps": 23.976}')]

    assert read_form(fields) == {
        "prompt": "[12]",
        "seed": "7",
        "generate_audio": "True",
        "seconds": "4",
        "width": "wide",
        "keyframes": [{"frame_idx": "0", "image_b64": "1234"}, {"frame_idx": "-1", "image_b64": "5678"}],
        "images": [{"image_b64": "a"}, {"image_b64": "b"}],
        "input_reference": {"image_url": {"url": "data:,"}},
        "extra_body": {"fps": 23.976},
    }


def test_a_repeated_name_in_a_form_becomes_a_list() -> None:
    fields = [("input_reference[]", "AAAA"), ("seed", "1"), ("seed", "2")]

    assert read_form(fields) == {"input_reference": ["AAAA"], "seed": ["1", "2"]}


@pytest.mark.parametrize(
    "fields",
    [[("images", "a"), ("images[]", "b")], [("a[b]", "1"), ("a", "2")], [("a", "1"), ("a[b]", "2")]],
    ids=str,
)
def test_a_form_that_sends_a_field_in_two_ways_is_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestInvalid, match="Send this once"):
        read_form(fields)


@pytest.mark.parametrize("name", ["a[", "]a", "[a]", "", "a[[b]]", "a[1][2][3][4][5]", "[]"])
def test_a_name_with_malformed_brackets_is_kept_as_it_is(name: str) -> None:
    assert read_form([(name, "1")]) == {name: "1"}
