"""The Next.js example, built and started, in Chromium: 341 MB to install."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.examples.conftest import KEY, uploaded
from tests.node import NODE, run
from tests.page.conftest import PATIENCE_MS

pytestmark = pytest.mark.heavy

NEXT = "node_modules/next/dist/bin/next"


@contextmanager
def started(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """Run `next start` and return its address."""
    command = [NODE, NEXT, "start", "--hostname", "127.0.0.1", "--port", "0"]
    # In a session of its own, with the process that Next.js starts for the site.
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | variables, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    address = next(
        (match[1] for line in process.stdout if (match := re.search(r"(http://127\.0\.0\.1:\d+)", line))), ""
    )
    rest = threading.Thread(target=process.stdout.read)
    rest.start()
    try:
        assert address, "next start ended"
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        rest.join()
        process.stdout.close()


@pytest.fixture(scope="module")
def site(example: Callable[..., Path], variables: dict[str, str]) -> Iterator[str]:
    folder = example("nextjs", copy_packages=True)
    variables = variables | {"NEXT_TELEMETRY_DISABLED": "1"}
    run(NODE, NEXT, "build", cwd=folder, **variables)
    with started(folder, variables) as address:
        yield address


def test_the_site_makes_and_plays_clips(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    sent_and_received: list[str] = []
    page.on("request", lambda request: sent_and_received.append(f"{request.url} {request.headers} {request.post_data}"))
    page.on("response", lambda response: sent_and_received.append(f"{response.url} {response.headers}"))
    page.goto(site)
    page.get_by_label("Size").fill("256x256")
    page.get_by_label("Seconds").fill("0.375")
    for images in ([], [uploaded()]):
        page.get_by_label("First frame").set_input_files(images)
        page.get_by_role("button", name="Make a clip").click()
        expect(page.get_by_role("status")).to_have_text("completed")
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        clip = page.locator("video").get_attribute("src")

    assert KEY not in "".join(sent_and_received) + page.content()
    page.close()
    part = httpx.get(f"{site}{clip}", headers={"Range": "bytes=4-7"}, trust_env=False)
    assert (part.status_code, part.content) == (206, b"ftyp")


def test_an_error_of_the_server_is_passed_on(site: str) -> None:
    answer = httpx.post(f"{site}/api/clips", files={"prompt": (None, ""), "size": (None, "large")}, trust_env=False)

    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid_request_error"
