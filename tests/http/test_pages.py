"""GET / and /docs: pages that load nothing from other hosts, also below a prefix."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.conftest import Server

PAGES = ["/", "/docs"]


class References(HTMLParser):
    """Collect what a page loads and links to; fail on an inline script or style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag != "style"
        assert "style" not in values
        assert tag != "script" or values.get("src")
        self.found += [
            url for name in ("src", "href") if (url := values.get(name)) and url != "data:," and not url.startswith("#")
        ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_other_hosts(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    base, *references = References(page.text).found

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert base == "/"
    assert len(references) > 2
    for reference in references:
        assert re.fullmatch(r"[\w./-]+", reference), "the address of another host"
        assert client.get(f"{base}{reference}").status_code == 200, reference


def test_the_docs_load_this_servers_schema(client: httpx.Client) -> None:
    script = client.get("/docs/start.js")

    assert script.headers["content-type"].startswith("text/javascript")
    assert "openapi.json" in script.text
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text


@pytest.mark.parametrize("accept", [None, "*/*", "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"])
def test_the_root_is_html_for_browsers(client: httpx.Client, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}

    assert client.get("/", headers=headers).headers["content-type"].startswith("text/html")


def test_the_root_is_json_for_programs(client: httpx.Client) -> None:
    answer = client.get("/", headers={"Accept": "application/json"})

    assert answer.json()["name"] == "LTX-23-Video"
    links = answer.json()["links"]
    assert links.pop("generate") == "/generate"
    assert {client.get(link).status_code for link in links.values()} == {200}
    assert answer.headers["vary"] == "Accept"


def test_the_pages_need_no_key(guarded: Server) -> None:
    with guarded.client() as stranger:
        answers = {path: stranger.get(path).status_code for path in [*PAGES, "/docs/start.js", "/redoc", "/docs/other"]}

    assert answers == {"/": 200, "/docs": 200, "/docs/start.js": 200, "/redoc": 401, "/docs/other": 401}


def test_the_pages_files_are_compressed_for_those_who_accept_it(client: httpx.Client) -> None:
    path = next(reference for reference in References(client.get("/").text).found if reference.endswith("/main.js"))
    plain = client.get(f"/{path}", headers={"Accept-Encoding": "identity"})
    compressed = client.get(f"/{path}", headers={"Accept-Encoding": "gzip, br"})

    assert plain.content == compressed.content
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) < len(plain.content)
    assert "immutable" in plain.headers["cache-control"]
    assert {plain.headers["vary"], compressed.headers["vary"]} == {"Accept-Encoding"}


def test_a_file_of_another_version_is_not_there(client: httpx.Client) -> None:
    assert client.get("/page/0000000000000000/main.js").status_code == 404
