"""Pages in a real Chromium, and the server whose pages they are.

`LTX23_TEST_HEADED=1` shows the browser, and slows it down enough to watch.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, expect, sync_playwright

from tests.conftest import Server
from tests.page.browser import MISSING, OPTIONS, find_browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
HEADED = bool(os.environ.get("LTX23_TEST_HEADED"))
# How long Playwright waits for what a page is to show: a busy machine is slow, which says nothing about a test.
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Run Playwright for the tests of one module: as long as it runs, no other test of this process can use asyncio."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    path = find_browser()
    assert path, MISSING
    return path


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=chromium, args=OPTIONS, headless=not HEADED, slow_mo=300 if HEADED else 0
    )
    yield browser
    browser.close()


class Problems:
    """What went wrong in a page: errors on its console and in its scripts, failed requests, requests to other hosts."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.found: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """Let a test have a problem, such as `status of 422` for an answer that it provokes: it has to occur."""
        self._expected.append(pattern)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error in a script: {error.stack or error.message}"))
        page.on("request", self._request)
        page.on("requestfailed", self._request_failed)

    def check(self) -> None:
        unexpected = [found for found in self.found if not any(re.search(p, found) for p in self._expected)]
        assert not unexpected, "\n".join(unexpected)
        missing = [p for p in self._expected if not any(re.search(p, found) for found in self.found)]
        assert not missing, f"expected, but did not occur: {missing}"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type} on the console: {message.text} ({message.location['url']})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self._origin:
            self.found.append(f"request to another origin: {request.url}")

    def _request_failed(self, request: Request) -> None:
        # Aborted: by the page itself, by leaving it, by a download or by a player that has read enough.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed request: {request.method} {request.url}: {request.failure}")


OpenPage = Callable[..., tuple[Page, Problems]]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return a function that opens an empty page of the server at an address, in a browser context of its own.

    Options are those of Playwright's `new_context`, such as `color_scheme="dark"` or `viewport`. A problem of a page
    fails the test, unless the test expects it.
    """
    opened: list[tuple[Page, Problems]] = []

    def open_page(address: str, **options: Any) -> tuple[Page, Problems]:
        context = browser.new_context(base_url=address, **options)
        context.set_default_timeout(PATIENCE_MS)
        problems = Problems(address)
        context.on("page", problems.watch)
        page = context.new_page()
        opened.append((page, problems))
        return page, problems

    yield open_page
    for page, _ in opened:
        page.context.close()
    for _, problems in opened:
        problems.check()


@pytest.fixture
def page_server(server: Server) -> Server:
    """Return the session's server, without the videos that other tests have left on it."""
    with server.client() as client:
        while videos := client.get("/v1/videos").json()["data"]:
            for video in videos:
                assert client.delete(f"/v1/videos/{video['id']}").status_code == 200
    return server


@pytest.fixture
def page_and_problems(open_page: OpenPage, page_server: Server) -> tuple[Page, Problems]:
    return open_page(page_server.url)


@pytest.fixture
def page(page_and_problems: tuple[Page, Problems]) -> Page:
    """Return an empty page of a server without keys; `page.goto("/")` opens the start page."""
    return page_and_problems[0]


@pytest.fixture
def problems(page_and_problems: tuple[Page, Problems]) -> Problems:
    return page_and_problems[1]


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """Return a function that lists what axe finds wrong with the accessibility of a page, by all rules or by some."""
    script = AXE.read_text()

    def violations(page: Page, *rules: str) -> list[str]:
        options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
        # Playwright evaluates scripts outside the page's content security policy.
        if not page.evaluate("'axe' in window"):
            page.evaluate(script)
        found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
        return [
            f"{violation['id']}: {violation['help']}: {node['html']}\n{node['failureSummary']}"
            for violation in found
            for node in violation["nodes"]
        ]

    return violations
