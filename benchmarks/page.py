"""Measure the first load of the page at `/`: `python -m benchmarks.page [--loads N] [--url URL]`.

Prints the bytes over the wire and the requests until the form can be used, everything included, and the time from the
navigation to that form, as the median of several loads in Chromium, each with an empty cache. Without an address, it
starts a server with the tiny model.
"""

import argparse
import os
import platform
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.running_server import running_server
from tests.page.browser import MISSING, OPTIONS, find_browser

# Notes when the form is in the page: everything of it works from then on.
NOTE_THE_FORM = """
  new MutationObserver((_, observer) => {
    if (!document.querySelector("form textarea")) return;
    window.formAfterMs = performance.now();
    observer.disconnect();
  }).observe(document, { subtree: true, childList: true });
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=15)
    parser.add_argument("--url", help="a running server, instead of one that is started")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    with _address(args.url) as url, _chromium() as browser:
        loads = [_load(browser, url) for _ in range(args.loads)]
    sizes, requests, times_ms = zip(*loads, strict=True)
    size_kb, most_kb = statistics.median(sizes) / 1000, max(sizes) / 1000
    median_ms, worst_ms = statistics.median(times_ms), max(times_ms)
    print(f"first load, median of {args.loads}: {size_kb:.1f} kB, at most {most_kb:.1f} (aim: 150), in ", end="")
    print(f"{statistics.median(requests):.0f} requests")
    print(f"from navigation to the form: {median_ms:.0f} ms, at most {worst_ms:.0f} ms (aim: 200)")


def measure_bytes(page: Page) -> tuple[int, int]:
    """Open `/` in an empty page; return the bytes and the answers, heads included, until the form can be used."""
    sizes: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/")
    page.get_by_role("button", name="Ready").wait_for()
    page.get_by_label("Prompt", exact=True).wait_for()
    session.detach()
    return round(sum(sizes)), len(sizes)


def _load(browser: Browser, url: str) -> tuple[int, int, float]:
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.add_init_script(NOTE_THE_FORM)
    size, requests = measure_bytes(page)
    after_ms: float = page.evaluate("window.formAfterMs")
    context.close()
    return size, requests, after_ms


@contextmanager
def _address(url: str | None) -> Iterator[str]:
    if url:
        yield url
    else:
        with running_server() as server:
            yield server.url


@contextmanager
def _chromium() -> Iterator[Browser]:
    if not (path := find_browser()):
        raise SystemExit(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
