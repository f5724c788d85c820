"""What holds for any body whatsoever."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.contract import (
    Adjustment,
    RequestInvalid,
    ResolvedRequest,
    adjustments_header,
    adjustments_json,
    parse_body,
    resolve_request,
    to_spec,
)
from server.contract.aliases import ALIASES
from server.contract.wire import GenerateRequest

texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.integers(-5, 2000),
    st.floats(0, 100),
    st.sampled_from([0, -0.0, 1e300, 5e-324, 10**30, 10**400, 2**63, 23.976, 29.97, 768.5]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.just("QUJD"), st.just("1280x720"))
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
frame = st.one_of(st.just(0), st.integers(-2, 130), junk)
entries = st.fixed_dictionaries(
    {"image_b64": st.just("QUJD") | junk},
    optional={"frame_idx": frame, "frame_index": frame, "strength": st.floats(0, 1) | junk, "crf": junk, "foo": junk},
)
image_lists = st.lists(entries, max_size=4)

NAMES = [*GenerateRequest.model_fields, *ALIASES, "resolution", "images"]
wild = st.dictionaries(st.sampled_from(NAMES) | texts, junk, max_size=8)

sizes = st.integers(1, 16_384)
good_keyframes = st.lists(st.integers(1, 8), unique=True, min_size=1, max_size=4).map(
    lambda frames: [{"image_b64": "QUJD", "frame_idx": i} for i in (0, *frames)]
)
tame = st.fixed_dictionaries(
    {"prompt": st.just("a fox")},
    optional={
        "width": sizes,
        "height": sizes,
        "resolution": st.tuples(sizes, sizes).map(lambda size: f"{size[0]}x{size[1]}"),
        "num_frames": st.integers(1, 2000) | st.just(10**30),
        "frames": st.integers(1, 2000),
        "duration": st.floats(0, 100) | st.sampled_from([0, 5, 20, 1e300, 5e-324, 10**400]),
        "fps": st.floats(0, 100) | st.sampled_from([24, 23.976, -1, 1e300, 10**400]),
        "frame_rate": st.integers(8, 50),
        "seed": st.integers(0, 2**63 - 1),
        "use_random_seed": st.booleans() | st.none(),
        "guidance_scale": st.sampled_from([3.1, 1, 5.1]),
        "keyframes": good_keyframes,
        "images": image_lists | good_keyframes,
        "image": st.just("QUJD"),
        "foo": junk,
    },
)
bodies = st.one_of(wild, tame, st.builds(lambda a, b: a | b, tame, wild))


def attempt(body: dict[str, Any], *, strict: bool) -> ResolvedRequest | RequestInvalid:
    try:
        return resolve_request(body, strict=strict, random_seed=lambda: 7)
    except RequestInvalid as exc:
        return exc


@settings(max_examples=400, deadline=None)
@given(bodies)
def test_a_body_resolves_to_a_spec_or_is_refused(body: dict[str, Any]) -> None:
    result = attempt(body, strict=False)
    if isinstance(result, RequestInvalid):
        assert result.detail
        assert json.dumps(result.detail, ensure_ascii=False, allow_nan=False).encode()
        return
    paths = [Path(f"{i}.png") for i in range(len(result.images))]
    spec = to_spec(result, paths, result.prompt)
    assert spec.duration_s <= 21
    assert json.dumps(adjustments_json(result.adjustments), ensure_ascii=False, allow_nan=False).encode()
    assert_header(adjustments_header(result.adjustments))


@settings(max_examples=400, deadline=None)
@given(bodies)
def test_strict_resolves_when_lenient_has_nothing_to_adjust(body: dict[str, Any]) -> None:
    lenient, strict = attempt(body, strict=False), attempt(body, strict=True)
    if isinstance(lenient, RequestInvalid):
        assert isinstance(strict, RequestInvalid)
        assert strict.detail == lenient.detail
    elif lenient.adjustments:
        assert isinstance(strict, RequestInvalid)
        assert len(strict.errors) == len(lenient.adjustments)
    else:
        assert strict == lenient


@settings(max_examples=200, deadline=None)
@given(tame)
def test_what_was_resolved_needs_no_adjustment(body: dict[str, Any]) -> None:
    first = attempt(body, strict=False)
    if isinstance(first, RequestInvalid):
        return
    again = resolve_request(
        {
            "prompt": first.prompt,
            "width": first.width,
            "height": first.height,
            "num_frames": first.num_frames,
            "fps": float(first.frame_rate),
            "seed": first.seed,
        },
        strict=True,
    )
    assert (again.width, again.height, again.num_frames) == (first.width, first.height, first.num_frames)
    assert abs(again.frame_rate - first.frame_rate) < 0.001


@settings(deadline=None)
@given(st.lists(st.builds(Adjustment, texts, junk, junk, texts), max_size=60))
def test_a_header_is_always_short_printable_json(adjustments: list[Adjustment]) -> None:
    assert_header(adjustments_header(adjustments))


@settings(deadline=None)
@given(st.binary() | junk.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(RequestInvalid):
        assert isinstance(parse_body(body), dict)


def assert_header(header: str) -> None:
    assert len(header) <= 4096
    assert all(0x20 <= ord(char) < 0x7F for char in header)
    assert isinstance(json.loads(header), list)
