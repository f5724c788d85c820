"""The whole application below a path prefix, as clients of a proxy see it."""

import json
from pathlib import Path

import httpx
import pytest

from server.app import create_app
from server.settings import load_settings
from tests.edge.asgi import ask

PROXY = "10.0.0.1"


@pytest.fixture(params=["setting", "header"])
def get(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """Return a function that gets a path below /video, a prefix from the settings or from the proxy's header."""
    root_path, headers = ("/video", {}) if request.param == "setting" else ("", {"X-Forwarded-Prefix": "/video"})
    settings = load_settings(api_keys="key", root_path=root_path, trusted_proxies=PROXY, data_dir=tmp_path)
    app = create_app(settings)

    def get(path: str, **more: str) -> httpx.Response:
        return ask(app, path, client=PROXY, base="https://example.com", headers=headers | more)

    return get


@pytest.mark.parametrize("prefix", ["", "/video"], ids=["removed", "kept"])
def test_pages_and_the_schema_name_the_prefix(get: object, prefix: str) -> None:
    assert callable(get)
    for path in ("/", "/docs", "/docs/"):
        assert '<base href="/video/">' in get(prefix + path).text
    assert get(f"{prefix}/docs/start.js").status_code == 200
    assert get(f"{prefix}/openapi.json").json()["servers"][0] == {"url": "/video"}
    links = get(f"{prefix}/", accept="application/json").json()["links"]
    assert all(link.startswith("/video/") for link in links.values())


@pytest.mark.parametrize("prefix", ["", "/video"], ids=["removed", "kept"])
def test_keys_and_errors_follow_the_route_without_the_prefix(get: object, prefix: str) -> None:
    assert callable(get)
    refused = get(f"{prefix}/v1/videos")
    unknown = get(f"{prefix}/v1/nowhere", **{"x-api-key": "key"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert get(f"{prefix}/nowhere", **{"x-api-key": "key"}).json() == {"detail": "Not Found"}
    assert "location" not in json.dumps([dict(answer.headers) for answer in (refused, unknown)])
