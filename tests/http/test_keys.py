"""A server with keys in its environment and in a file."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server
from tests.http.conftest import FILE_KEY, KEY
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def stranger(guarded: Server) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


@pytest.mark.parametrize("key", [KEY, FILE_KEY, "sk-other"])
@pytest.mark.parametrize(("name", "prefix"), [("Authorization", "Bearer "), ("Authorization", ""), ("x-api-key", "")])
def test_a_key_is_accepted_in_each_of_its_headers(stranger: httpx.Client, key: str, name: str, prefix: str) -> None:
    headers = {name: prefix + key}

    assert stranger.get("/models", headers=headers).status_code == 200
    # The key is accepted, and the request refused for its content.
    assert stranger.post("/generate", content=b"{}", headers=headers).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "wrong"},
        {"x-api-key": "wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"x-api-key": f"{KEY},{FILE_KEY}"},
        {"x-api-key": "# who may come in"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/generate"), ("GET", "/models"), ("GET", "/nowhere")])
def test_a_request_without_a_valid_key_is_refused(
    stranger: httpx.Client, headers: dict[str, str], method: str, path: str
) -> None:
    response = stranger.request(method, path, headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"detail"}
    assert isinstance(response.json()["detail"], str)
    assert "x-request-id" in response.headers
    assert KEY not in response.text


@pytest.mark.parametrize("path", ["/health", "/livez", "/openapi.json", "/health/", "//openapi.json"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "wrong"])
def test_health_and_the_schema_need_no_key(stranger: httpx.Client, path: str, headers: dict) -> None:
    assert stranger.get(path, headers=headers).status_code == 200


def test_a_key_that_is_removed_from_the_file_stops_working(guarded: Server, stranger: httpx.Client) -> None:
    assert isinstance(guarded.process.args, list)
    [key_file] = [Path(value) for value in map(str, guarded.process.args) if value.endswith("keys.txt")]
    before = key_file.read_text()
    try:
        key_file.write_text("sk-new\n")
        answers = {key: stranger.get("/models", headers={"x-api-key": key}).status_code for key in (FILE_KEY, "sk-new")}
    finally:
        key_file.write_text(before)

    assert answers == {FILE_KEY: 401, "sk-new": 200}
    assert stranger.get("/models", headers={"x-api-key": FILE_KEY}).status_code == 200
    assert any("keys.txt can be read or written by other users" in line for line in guarded.lines)


def test_keys_are_not_printed(guarded: Server) -> None:
    # The server goes on to speak once it is ready.
    wait_for(lambda: any("Bearer YOUR_KEY" in line for line in guarded.lines))

    assert not any(key in line for key in (KEY, FILE_KEY) for line in guarded.lines)


def test_with_a_key_the_server_listens_on_the_host_of_the_settings(guarded: Server) -> None:
    url = httpx.URL(guarded.url).copy_with(host="127.0.0.2")

    assert httpx.get(url.join("/livez"), trust_env=False).status_code == 200
