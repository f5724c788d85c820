"""Requests from web pages to a server without keys."""

import pytest

from server.edge.browser_guard import BrowserGuard
from tests.edge.asgi import ask, show

OPEN = BrowserGuard(show, ["gpu.example.lan"], ["https://studio.example.com"])
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def answered(host: str, method: str = "POST", **headers: str) -> int:
    sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return ask(OPEN, "/generate", method, headers=sent, content=b"{}" if method == "POST" else None).status_code


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST:8000", "app.localhost:8000", "127.0.0.1", "127.9.9.9:1"),
        *("[::1]:8000", "[::1]", "192.168.1.5:8000", "[2001:db8::1]:8000", "gpu.example.lan:8000", "GPU.example.lan"),
    ],
)
def test_host_names_that_nobody_else_can_rebind_are_served(host: str) -> None:
    assert answered(host) == answered(host, "GET") == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost"),
        *("gpu.example.lan.evil.example", "1.evil", "localhost:8000:1", "localhost@evil.example", "[::1].evil"),
    ],
)
def test_a_rebound_host_name_gets_a_421(host: str) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
        assert answered(host, method) == 421


def test_the_refusals_name_their_settings() -> None:
    rebound = ask(OPEN, headers={"Host": "evil.example"}).json()["detail"]
    foreign = ask(OPEN, headers={"Host": "localhost", "Origin": "https://evil.example"}).json()["detail"]

    assert "--allowed-hosts" in rebound
    assert "--cors-origins" in foreign
    assert "evil" not in rebound + foreign


def test_a_client_without_a_host_header_is_served() -> None:
    assert ask(OPEN, headers={"Host": ""}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://localhost:3000", "http://localhost:8000.evil.example", "file://"),
        *("chrome-extension://abc", "https://studio.example.com.evil.example", "http://studio.example.com", ""),
        "http://[bad",
    ],
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        assert answered("localhost:8000", method, Origin=origin) == 403


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://localhost:8000", "https://studio.example.com"])
def test_the_servers_own_page_and_a_listed_one_are_served(origin: str) -> None:
    assert answered("localhost:8000", Origin=origin, Sec_Fetch_Site="cross-site") == 200


def test_a_star_allows_every_page() -> None:
    headers = {"Host": "localhost", "Origin": "null"}
    assert ask(BrowserGuard(show, (), ["*"]), headers=headers).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_is_refused(content_type: str, site: str) -> None:
    assert answered("localhost", Content_Type=content_type, Sec_Fetch_Site=site) == 403
    assert answered("localhost", Content_Type=content_type, Origin="https://evil.example") == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_servers_own_page_may_send_a_form(site: str) -> None:
    assert answered("localhost", Sec_Fetch_Site=site, **{"Content_Type": "text/plain"}) == 200


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_a_program_may_send_any_content_type(content_type: str) -> None:
    assert answered("localhost:8000", Content_Type=content_type) == 200


def test_a_link_from_another_site_can_be_followed() -> None:
    assert answered("localhost", "GET", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200
