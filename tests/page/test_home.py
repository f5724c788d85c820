"""GET / in a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Server
from tests.page.conftest import OpenPage


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_start_page_is_accessible(
    open_page: OpenPage, page_server: Server, axe: Callable[[Page], list[str]], color_scheme: str
) -> None:
    page, _ = open_page(page_server, color_scheme=color_scheme)
    page.goto("/")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert axe(page) == []
