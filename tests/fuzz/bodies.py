"""Request bodies as bytes, from nearly valid to random: deep nesting, odd values, repeated names, damaged JSON."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from tests.contract.test_properties import NAMES, junk, wild
from tests.fuzz.small import SMALL, made_small

GOOD = json.dumps({"prompt": "a red fox"} | SMALL).encode()

names = st.sampled_from(NAMES).map(json.dumps) | st.sampled_from(['"\\ud800"', '"\\u0000"', '""', '"__proto__"'])
numbers = st.one_of(
    st.integers(1, 6000).map(lambda digits: "9" * digits),
    st.sampled_from(["1e999999", "-1e999999", "-0", "1E-400", "NaN", "Infinity", "0.1e1", "9" * 4300, "01", "1."]),
)
values = st.one_of(
    numbers,
    junk.map(json.dumps),
    st.sampled_from(['"\\ud800\\udc00"', '"\\udfff"', '"\\u0000"', "tru", "'x'", "{}", "[]"]),
)


def _object(pairs: list[tuple[str, str]]) -> bytes:
    return ("{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}").encode()


def _holed(damage: tuple[int, int, bytes]) -> bytes:
    start, length, piece = damage
    return GOOD[:start] + piece + GOOD[start + length :]


def _nested(shape: tuple[str, int, bytes]) -> bytes:
    opening, depth, start = shape
    return start + opening.encode() * depth


def _dumped(body: dict[str, Any]) -> bytes:
    return json.dumps(made_small(body)).encode()


nested = st.tuples(st.sampled_from(["[", '{"a":', '[{"a":']), st.integers(1, 60_000), st.sampled_from([b"", b'{"a":']))
holed = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 8), st.binary(max_size=4))
recoded = st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-7"]).map(lambda name: GOOD.decode().encode(name))


def _form(shape: tuple[list[tuple[str, bytes, bytes]], int]) -> bytes:
    fields, cut = shape
    part = b"--B\r\nContent-Disposition: form-data; name=%b%b\r\n\r\n%b\r\n"
    parts = (part % (name.encode("utf-8", "replace"), extra, value) for name, extra, value in fields)
    form = b"".join([*parts, b"--B--\r\n"])
    return form[: len(form) - cut]


texts = st.sampled_from([b"", b"on", b"256", b"[{}]", b"\r\n--B", b"\xff", b"a fox"]) | st.binary(max_size=20)
extras = st.sampled_from(
    [b"", b'; filename=""', b'; filename="a.png"', b"; filename*=x", b"\r\nContent-Type: text/plain"]
)
# Some are truncated near their end.
forms = st.tuples(st.lists(st.tuples(names, extras, texts), max_size=5), st.sampled_from([0, 0, 0, 1, 4, 9])).map(_form)
urlencoded = st.lists(st.tuples(names, texts), max_size=5).map(urlencode).map(str.encode)

bodies = st.one_of(
    forms,
    urlencoded,
    wild.map(_dumped),
    wild.map(lambda body: _dumped({"prompt": "a red fox"} | body)),
    st.lists(st.tuples(names, values), max_size=6).map(lambda pairs: _object([*pairs, ('"width"', '"wide"')])),
    nested.map(_nested),
    holed.map(_holed),
    recoded,
    st.binary(max_size=200),
)
