"""The example page, served from another origin, in Chromium."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Server
from tests.examples.conftest import EXAMPLES, KEY, uploaded
from tests.page.conftest import PATIENCE_MS


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page_address() -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(EXAMPLES / "javascript"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        thread = threading.Thread(target=files.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}/index.html"
        files.shutdown()
        thread.join()


@pytest.mark.parametrize("has_image", [False, True], ids=["text", "image"])
def test_the_page_makes_and_plays_a_clip(
    browser: Browser, server_for_clients: Server, page_address: str, has_image: bool
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(page_address)
    page.get_by_label("Server").fill(server_for_clients.url)
    page.get_by_label("Key").fill(KEY)
    page.get_by_label("Prompt").fill("a blue night sky")
    page.get_by_label("Size").fill("256x256")
    page.get_by_label("Seconds").fill("0.375")
    if has_image:
        page.get_by_label("First frame").set_input_files(uploaded())

    page.get_by_role("button", name="Make a clip").click()

    expect(page.get_by_role("status")).to_have_text("done")
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.querySelector('video').videoWidth") == 256
    page.close()


def test_the_page_says_what_is_wrong(browser: Browser, server_for_clients: Server, page_address: str) -> None:
    page = browser.new_page()
    page.goto(page_address)
    page.get_by_label("Server").fill(server_for_clients.url)
    page.get_by_label("Key").fill("sk-wrong")

    page.get_by_role("button", name="Make a clip").click()

    expect(page.get_by_role("status")).to_contain_text("key")
    page.close()
