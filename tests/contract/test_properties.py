"""Properties that hold for any body."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.contract.adjustments import Adjustment, adjustments_header, adjustments_json
from server.contract.enhance import resolve_enhance
from server.contract.errors import Loc, RequestInvalid
from server.contract.names.aliases import ALIASES
from server.contract.names.envelope import ENVELOPES
from server.contract.parsing.json_body import parse_body
from server.contract.resolve import ResolvedRequest, resolve_request, to_spec, wants_json
from server.contract.wire import GenerateRequest

texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.integers(-5, 2000),
    st.floats(0, 100),
    st.sampled_from([0, -0.0, 1e300, 5e-324, 10**30, 10**400, 2**63, 23.976, 29.97, 768.5]),
)
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
spelled = st.one_of(
    numbers.map(str), st.booleans().map(str), st.sampled_from(["", " 24 ", "24.0", "1e400", "9" * 5000])
)
pictures = st.sampled_from(["QUJD", PICTURE, f"data:image/png;base64,{PICTURE}", "https://example.com/a.png", "data:,"])
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, spelled, pictures, st.just("1280x720"))
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
frame = st.one_of(st.just(0), st.integers(-2, 130), junk)
entries = st.fixed_dictionaries(
    {"image_b64": st.just("QUJD") | junk},
    optional=dict.fromkeys(("frame_idx", "frame_index", "frame", "index"), frame)
    | dict.fromkeys(("crf", "foo", "image", "image_url", "url"), junk)
    | {"strength": st.floats(0, 1) | junk},
)
image_lists = st.lists(entries, max_size=4)

NAMES = [*GenerateRequest.model_fields, *ALIASES, "resolution", "images"]
NAMES += ["image", "image_b64", "image_url", "firstFrame", "init_images", "end_image", "last_frame", "reference_image"]
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
        "seed": st.integers(-1, 2**64 - 1),
        "use_random_seed": st.booleans() | st.none(),
        "guidance_scale": st.sampled_from([3.1, 1, 5.1]),
        "keyframes": good_keyframes,
        "images": image_lists | good_keyframes,
        "image": st.just("QUJD"),
        "end_image": st.just("QUJD"),
        "foo": junk,
    },
)
flat = st.one_of(wild, tame, st.builds(lambda a, b: a | b, tame, wild))
envelopes = st.sampled_from(sorted(ENVELOPES))
wrapped = st.builds(lambda name, body: {name: body}, envelopes, flat | flat.map(lambda body: [body]))
bodies = st.one_of(flat, wrapped, st.builds(lambda a, b: a | b, wrapped, wrapped | wild))


def attempt(body: dict[str, Any], *, strict: bool) -> ResolvedRequest | RequestInvalid:
    try:
        return resolve_request(body, strict=strict, random_seed=lambda: 7)
    except RequestInvalid as exc:
        return exc


@settings(max_examples=250, deadline=None)
@given(bodies)
def test_a_body_resolves_to_a_spec_or_is_refused(body: dict[str, Any]) -> None:
    result = attempt(body, strict=False)
    if isinstance(result, RequestInvalid):
        assert result.detail
        assert json.dumps(result.detail, ensure_ascii=False, allow_nan=False).encode()
        return
    assert wants_json(body) in (True, False)
    paths = [Path(f"{i}.png") for i in range(len(result.images))]
    spec = to_spec(result, paths, result.spec.prompt)
    assert spec.duration_s <= 21
    assert json.dumps(adjustments_json(result.adjustments), ensure_ascii=False, allow_nan=False).encode()
    assert_header(adjustments_header(result.adjustments))


@settings(max_examples=250, deadline=None)
@given(bodies)
def test_strict_resolves_when_lenient_has_nothing_to_adjust(body: dict[str, Any]) -> None:
    lenient, strict = attempt(body, strict=False), attempt(body, strict=True)
    if isinstance(lenient, RequestInvalid):
        assert isinstance(strict, RequestInvalid)
        assert strict.detail == lenient.detail or strict.errors[0].loc[0] in ENVELOPES
    elif lenient.adjustments:
        assert isinstance(strict, RequestInvalid)
        assert {error.type for error in strict.errors} == {"adjustment_refused"}
    else:
        assert strict == lenient


whole = st.integers(1, 300)
keyframe_sets = st.lists(st.integers(-1, 320), unique=True, min_size=1, max_size=8)


@settings(max_examples=250, deadline=None)
@given(
    st.one_of(st.builds(lambda n: {"num_frames": n}, whole), st.builds(lambda s: {"duration": s / 24}, whole)),
    keyframe_sets,
)
def test_keyframes_keep_their_order_and_the_last_one_stays_last(length: dict[str, Any], sent: list[int]) -> None:
    entries: list[dict[str, Any]] = [
        {"image_b64": "QUJD", "frame_idx": frame} for frame in (0, *(frame for frame in sent if frame))
    ]
    body = {"prompt": "a fox", **length, "keyframes": entries}
    result = attempt(body, strict=False)
    if isinstance(result, RequestInvalid):
        return
    order: dict[Loc, int] = {("keyframes", i, "image_b64"): entry["frame_idx"] for i, entry in enumerate(entries)}
    asked = [order[image.loc] for image in result.images]
    used = [image.frame_idx for image in result.images]
    assert asked == sorted(asked, key=lambda frame: (frame == -1, frame))
    assert used == sorted(set(used))
    assert used[0] == 0
    if "num_frames" in length and max(asked) == length["num_frames"] - 1 > 0 and -1 not in asked:
        assert used[-1] == result.spec.num_frames - 1


@settings(max_examples=250, deadline=None)
@given(bodies)
def test_a_prompt_is_enhanced_or_refused(body: dict[str, Any]) -> None:
    with suppress(RequestInvalid):
        assert resolve_enhance(body).duration_s > 0


@settings(max_examples=200, deadline=None)
@given(tame)
def test_a_resolved_request_needs_no_adjustment(body: dict[str, Any]) -> None:
    resolved = attempt(body, strict=False)
    if isinstance(resolved, RequestInvalid):
        return
    first = resolved.spec
    fields = ("prompt", "width", "height", "num_frames", "seed")
    sent = {field: getattr(first, field) for field in fields} | {"fps": float(first.frame_rate)}
    again = resolve_request(sent, strict=True).spec
    assert [getattr(again, field) for field in fields] == [getattr(first, field) for field in fields]
    assert abs(again.frame_rate - first.frame_rate) < 0.001


@settings(deadline=None)
@given(st.lists(st.builds(Adjustment, texts, junk, junk, texts), max_size=60))
def test_a_header_is_always_short_printable_json(adjustments: list[Adjustment]) -> None:
    assert_header(adjustments_header(adjustments))


@settings(deadline=None)
@given(st.binary() | junk.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_parse_to_an_object_or_are_refused(body: bytes) -> None:
    with suppress(RequestInvalid):
        assert isinstance(parse_body(body), dict)


def assert_header(header: str) -> None:
    assert len(header) <= 2000
    assert all(0x20 <= ord(char) < 0x7F for char in header)
    assert isinstance(json.loads(header), list)
