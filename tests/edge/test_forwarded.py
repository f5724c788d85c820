from typing import Any

import pytest

from server.edge.forwarded import ForwardedHeaders
from server.edge.paths import CleanPaths
from tests.edge.asgi import ask, show

PROXY, CLIENT, STRANGER = "10.1.2.3", "203.0.113.9", "198.51.100.7"
FORWARDED = {
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "video.example.org",
    "X-Forwarded-Prefix": "/tools/video/",
}


def seen(client: str, headers: dict[str, str], *trusted: str) -> dict[str, Any]:
    app = ForwardedHeaders(CleanPaths(show), trusted)
    return ask(app, "/generate", client=client, headers=headers).json()


@pytest.mark.parametrize("trusted", ["10.1.2.3", "10.0.0.0/8"])
def test_headers_of_a_trusted_proxy_are_used(trusted: str) -> None:
    answer = seen(PROXY, FORWARDED, "192.168.0.1", trusted)

    assert answer["base_url"] == "https://video.example.org/tools/video/"
    assert answer["path"] == "/tools/video/generate"
    assert answer["client"] == CLIENT


@pytest.mark.parametrize("trusted", [(), (PROXY,)], ids=["none", "another"])
@pytest.mark.parametrize("client", [STRANGER, "127.0.0.1"])
def test_headers_of_anyone_else_are_ignored(trusted: tuple[str, ...], client: str) -> None:
    answer = seen(client, FORWARDED, *trusted)

    assert (answer["base_url"], answer["path"], answer["client"]) == ("http://h/", "/generate", client)


def test_the_last_value_is_used_because_the_proxy_added_it() -> None:
    headers = FORWARDED | {
        "X-Forwarded-For": f"1.1.1.1, {CLIENT}",
        "X-Forwarded-Host": "forged.example, video.example.org",
        "X-Forwarded-Prefix": "/forged, /video",
    }

    answer = seen(PROXY, headers, PROXY)

    assert (answer["base_url"], answer["client"]) == ("https://video.example.org/video/", CLIENT)


@pytest.mark.parametrize("prefix", ["", "/", "video", '/"><script>', "/a//b", "//evil.example", "/a?b", "/a b"])
def test_an_invalid_prefix_is_ignored(prefix: str) -> None:
    assert seen(PROXY, {"X-Forwarded-Prefix": prefix}, PROXY)["base_url"] == "http://h/"


@pytest.mark.parametrize("host", ["", "a/b", "a b", "u@h", "<h>"])
def test_an_invalid_host_is_ignored(host: str) -> None:
    assert seen(PROXY, {"X-Forwarded-Host": host}, PROXY)["base_url"] == "http://h/"
