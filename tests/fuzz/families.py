"""The families of requests: operations of the schema, raw bodies, images, sounds."""

import base64
import io
import json
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import Case, GenerationMode
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.result import Err, Ok
from schemathesis.schemas import APIOperation

from tests.fuzz.bodies import bodies
from tests.fuzz.calls import Fuzzed
from tests.fuzz.images import images
from tests.fuzz.small import SMALL, made_small
from tests.fuzz.sounds import sounds

TIMEOUT_S = 120
PATHS = ("/generate", "/generate", "/generate", "/enhance", "/health", "/models")
FORM = "multipart/form-data; boundary=B"
CONTENT_TYPES = (
    *("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", FORM, FORM),
    *(f"{FORM}; charset={charset}" for charset in ("utf-7", "punycode", "undefined")),
)

Family = Callable[[str, Fuzzed, int, int], None]


def _each(strategy: st.SearchStrategy, count: int, number: int, action: Callable) -> None:
    """Call `action` with `count` examples, or with all if there are fewer."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(example: object) -> None:
        action(example)

    # An operation without parameters has no invalid calls.
    with suppress(Unsatisfiable):
        run()


def _valid(result: Ok[APIOperation] | Err[InvalidSchema]) -> APIOperation:
    assert isinstance(result, Ok), result
    return result.ok()


def fuzz_operations(url: str, fuzzed: Fuzzed, count: int, number: int) -> None:
    """Call every operation of the server's schema, following the schema and breaking it."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [_valid(result) for result in schema.get_all_operations()]
    with requests.Session() as session:
        for operation in operations:
            share = max(1, count * _weight(operation) // sum(map(_weight, operations)))
            for mode, part in ((GenerationMode.POSITIVE, 0.1), (GenerationMode.NEGATIVE, 0.9)):
                cases = operation.as_strategy(generation_mode=mode)
                _each(cases, max(1, round(share * part)), number, _Caller(url, fuzzed, session))


def _weight(operation: APIOperation) -> int:
    return 20 if operation.method == "post" else 1


@dataclass(frozen=True)
class _Caller:
    url: str
    fuzzed: Fuzzed
    session: requests.Session

    def __call__(self, case: Case) -> None:
        if isinstance(case.body, dict):
            case.body = made_small(case.body)
        try:
            # The client itself refuses to send what HTTP does not allow.
            request = case.as_transport_kwargs(base_url=self.url)
            prepared = self.session.prepare_request(requests.Request(**_sendable(request)))
        except (ValueError, requests.exceptions.InvalidHeader):
            return
        what = f"{case.method} {case.path}: {str(case.body)[:200]}"
        self.fuzzed.record("operations", what, lambda: self.session.send(prepared, timeout=TIMEOUT_S))


def _sendable(arguments: dict) -> dict:
    known = ("method", "url", "headers", "files", "data", "json", "params", "auth", "cookies")
    return {name: arguments[name] for name in known if name in arguments}


def fuzz_bodies(url: str, fuzzed: Fuzzed, count: int, number: int) -> None:
    shots = st.tuples(bodies, st.sampled_from(PATHS), st.sampled_from(CONTENT_TYPES), st.booleans())
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:

        def shoot(shot: tuple[bytes, str, str, bool]) -> None:
            body, path, content_type, strict = shot
            method = "GET" if path in ("/health", "/models") else "POST"
            headers = {"Content-Type": content_type} | ({"Prefer": "handling=strict"} if strict else {})
            what = f"{method} {path}: {body[:200]!r}"
            fuzzed.record("bodies", what, lambda: client.request(method, path, content=body, headers=headers))

        _each(shots, count, number, shoot)


def fuzz_images(url: str, fuzzed: Fuzzed, count: int, number: int) -> None:
    """Send images, mostly to /enhance, which decodes them fully and renders no clip; there is no enhancer here."""
    shots = st.tuples(images, st.sampled_from(["/enhance"] * 15 + ["/generate"]))
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:

        def shoot(shot: tuple[bytes, str]) -> None:
            image, path = shot
            body = {"prompt": "a red fox", "input_image_b64": base64.b64encode(image).decode()} | SMALL
            what = f"{path} with an image of {len(image)} bytes: {image[:60].hex()}..."
            fuzzed.record("images", what, lambda: client.post(path, content=json.dumps(body)))

        _each(shots, count, number, shoot)


def fuzz_sounds(url: str, fuzzed: Fuzzed, count: int, number: int) -> None:
    """Send sounds, mostly for a clip that begins after their end, so that those that can be decoded are refused too."""
    shots = st.tuples(sounds, st.sampled_from([1000] * 15 + [0]))
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:

        def shoot(shot: tuple[bytes, int]) -> None:
            sound, start_s = shot
            fields = {"audio_b64": base64.b64encode(sound).decode(), "audio_start": start_s}
            what = f"a sound of {len(sound)} bytes: {sound[:60].hex()}..."
            body = json.dumps({"prompt": "a red fox"} | fields | SMALL)
            fuzzed.record("sounds", what, lambda: client.post("/generate", content=body))

        _each(shots, count, number, shoot)


FAMILIES: dict[str, tuple[Family, float]] = {
    "operations": (fuzz_operations, 0.3),
    "bodies": (fuzz_bodies, 0.35),
    "images": (fuzz_images, 0.25),
    "sounds": (fuzz_sounds, 0.1),
}
# Calls in a round. Each round has its own seed, because hypothesis keeps all examples of a run in memory.
ROUND = 500


def settle(url: str) -> None:
    """Make server and worker return the memory that they keep after freeing it, so that samples can be compared.

    A large image and a clip of some size make both return all of it before the next request.
    """
    large = {"width": 768, "height": 512, "num_frames": 49, "input_image_b64": large_image()}
    for fields in (large, {"width": 256, "height": 256, "num_frames": 9}):
        body = {"prompt": "a red fox", "generate_audio": False} | fields
        httpx.post(f"{url}/generate", json=body, timeout=TIMEOUT_S, trust_env=False).raise_for_status()


@cache
def large_image() -> str:
    """Return an image in base64 that takes 169 MB when it is decoded."""
    png = io.BytesIO()
    Image.new("RGB", (7500, 7500)).save(png, "PNG")
    return base64.b64encode(png.getvalue()).decode()


def fuzz(url: str, fuzzed: Fuzzed, calls: int, number: int) -> None:
    """Make `calls` calls and a few more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while fuzzed.calls < calls:
            settle(url)
            fuzzed.sample()
            count = min(ROUND, calls - fuzzed.calls)
            for family, share in FAMILIES.values():
                family(url, fuzzed, max(1, round(count * share)), number)
            number += 1
            print(f"{fuzzed.calls} of {calls} calls, {len(fuzzed.wrong)} wrong", file=sys.stderr, flush=True)
