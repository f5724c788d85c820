import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from server.edge.api_keys import ApiKeys
from server.edge.body_limit import BodyLimit, BodyLimits
from server.edge.key_ring import KeyRing, KeyRingError
from server.edge.refusal import Linger

KEY = "sk-first"
OTHER_KEY = "sk-second"
KEY_ID = hashlib.sha256(KEY.encode()).hexdigest()[:8]
LARGE = b"x" * (32 << 20)
PATIENT = Linger(total_s=600, idle_s=600, expect_s=600)

Connect = Callable[..., Any]


async def show_key_id(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(scope["state"]["key_id"])(scope, receive, send)


def guarded(*keys: str) -> ApiKeys:
    return ApiKeys(show_key_id, KeyRing(keys or (KEY, OTHER_KEY)), linger=PATIENT)


def test_a_key_is_accepted_in_each_of_its_headers(wire: Connect) -> None:
    client = wire(guarded())
    for headers in [
        [f"Authorization: Bearer {KEY}"],
        [f"authorization: bEARER   {KEY}"],
        [f"Authorization: {KEY}"],
        [f"X-API-Key: {KEY}"],
        ["Authorization: Bearer placeholder", f"X-API-Key: {KEY}"],
        ["X-API-Key: wrong", f"X-API-Key: {KEY}"],
    ]:
        client.send_head(*headers)
        assert client.answer().json() == KEY_ID, headers


def test_any_other_key_or_header_is_unauthorized(wire: Connect) -> None:
    client = wire(guarded())
    for header in [
        "No-Key: at-all",
        "Authorization:",
        "Authorization: Bearer",
        "Authorization: Bearer ",
        f"Authorization: Basic {KEY}",
        f"Authorization: Bearer {KEY} {KEY}",
        f"Authorization: Bearer {KEY[:-1]}",
        f"Authorization: Bearer {KEY.upper()}",
        f"X-API-Key: Bearer {KEY}",
        f"X-API-Key: {hashlib.sha256(KEY.encode()).hexdigest()}",
        f"Cookie: {KEY}",
    ]:
        client.send_head(header)
        answer = client.answer()
        assert answer.status == 401, header
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["detail"]
        assert KEY.encode() not in answer.body


def test_every_method_needs_a_key(http: Connect) -> None:
    client = http(guarded())
    for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
        assert client.request(method, "/generate").status_code == 401, method


def test_a_key_with_non_ascii_characters_is_invalid(wire: Connect) -> None:
    client = wire(guarded())
    for name in ("Authorization: Bearer", "Authorization:", "X-API-Key:"):
        client.send_head(f"{name} clé-鍵")
        answer = client.answer()
        assert answer.status == 401, name
        assert answer.json() == {"detail": "The API key is not valid."}


def test_every_key_of_the_ring_is_accepted(http: Connect) -> None:
    client = http(guarded(KEY, OTHER_KEY))
    assert [client.get("/", headers={"X-API-Key": key}).status_code for key in (KEY, OTHER_KEY)] == [200, 200]


def test_open_paths_need_no_key(http: Connect) -> None:
    client = http(guarded())
    for path in ("/health", "/livez", "/openapi.json", "/health?verbose=1"):
        assert client.get(path).status_code == 200, path
        assert client.head(path).status_code == 200, path


def test_all_other_paths_need_a_key(http: Connect) -> None:
    client = http(guarded())
    for path in ("/healthy", "/health/", "/health/%2e%2e/generate", "/Health", "//health", "/x/health", "/"):
        assert client.get(path).status_code == 401, path


def test_the_caller_chooses_the_open_paths(http: Connect) -> None:
    client = http(ApiKeys(show_key_id, KeyRing([KEY]), open_paths=["/docs"]))
    assert [client.get(path).status_code for path in ("/docs", "/health")] == [200, 401]


def test_open_paths_stay_open_behind_a_prefix(http: Connect) -> None:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await guarded()({**scope, "root_path": "/video", "path": "/video" + scope["path"]}, receive, send)

    client = http(mounted)
    assert [client.get(path).status_code for path in ("/health", "/generate")] == [200, 401]


def test_a_preflight_passes_and_other_options_do_not(http: Connect) -> None:
    client = http(guarded())
    preflight = {"Origin": "https://page", "Access-Control-Request-Method": "POST"}
    assert client.options("/generate", headers=preflight).status_code == 200
    assert client.options("/generate", headers={"Origin": "https://page"}).status_code == 401
    assert client.post("/generate", headers=preflight).status_code == 401


def test_an_empty_ring_accepts_every_request(http: Connect) -> None:
    client = http(ApiKeys(show_key_id, KeyRing()))
    assert client.post("/generate").json() is None
    assert client.post("/generate", headers={"Authorization": "Bearer any"}).json() is None


def test_the_connection_is_kept_if_there_is_no_body_to_discard(wire: Connect) -> None:
    client = wire(guarded())
    for method in ("GET", "HEAD"):
        client.send_head(method=method)
        answer = client.answer(has_body=method != "HEAD")
        assert (answer.status, answer.headers["connection"]) == (401, None)
    client.send_head(f"X-API-Key: {KEY}")
    assert client.answer().status == 200


def test_a_client_without_a_key_that_sends_everything_before_reading_is_not_reset(wire: Connect) -> None:
    client = wire(guarded())
    client.send_head(f"Content-Length: {len(LARGE)}")
    client.send(LARGE)
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    assert client.rest() == b""


def test_a_client_without_a_key_is_answered_before_its_body(wire: Connect) -> None:
    client = wire(guarded())
    client.send_head("Expect: 100-continue", "Transfer-Encoding: chunked")
    assert client.answer().status == 401
    client.send_chunks(b"late")
    client.send(b"0\r\n\r\n")
    assert client.rest() == b""


def test_a_client_without_a_key_is_not_reset_by_an_outer_body_limit(wire: Connect) -> None:
    client = wire(BodyLimit(guarded(), BodyLimits(1000)))
    client.send_head("Transfer-Encoding: chunked")
    assert client.answer().status == 401
    client.send_chunks(LARGE, LARGE)
    client.send(b"0\r\n\r\n")
    assert client.rest() == b""


def test_keys_come_from_a_collection_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# production\n\n  {OTHER_KEY}\t\r\n{KEY}\n#{KEY}-old\n", encoding="utf-8-sig")
    ring = KeyRing([KEY], key_file=file)
    assert len(ring) == 2
    assert ring.identify(KEY.encode()) == KEY_ID
    assert ring.identify(OTHER_KEY.encode()) is not None
    assert ring.identify(f"#{KEY}-old".encode()) is None


def test_a_ring_neither_stores_nor_shows_keys() -> None:
    ring = KeyRing([KEY, OTHER_KEY])
    assert repr(ring) == "KeyRing(2 keys)"
    assert KEY not in str(vars(ring))


@pytest.mark.parametrize("content", [b"", b"\n \n# only a comment\n", b"\xff\xfe\x00", b"two words\n", "clé".encode()])
def test_a_key_file_without_usable_keys_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(KeyRingError) as caught:
        KeyRing(key_file=file)
    assert str(file) in str(caught.value)
    assert "words" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyRingError) as caught:
        KeyRing(key_file=tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "two words", "clé", "line\nbreak"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(KeyRingError, match="API key 2") as caught:
        KeyRing([KEY, key])
    assert KEY not in str(caught.value)
    assert "words" not in str(caught.value)


def test_a_single_string_is_not_accepted_as_a_collection_of_keys() -> None:
    with pytest.raises(TypeError):
        KeyRing(KEY)
