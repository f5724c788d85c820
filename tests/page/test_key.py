"""A server that asks for a key: it is asked for in a dialog, kept in the tab, and sent in a header alone."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.conftest import KEYS, Server
from tests.page.actions import compose, expect_clip, render
from tests.page.conftest import OpenPage

KEY = KEYS["page"]


def test_a_key_is_asked_for_until_it_is_right_and_is_kept_in_the_tab(
    open_page: OpenPage, server_for_clients: Server, axe: Callable[[Page], list[str]]
) -> None:
    page, problems = open_page(server_for_clients.url)
    problems.expect("status of 401")
    addresses: list[str] = []
    page.context.on("request", lambda request: addresses.append(request.url))
    page.goto("/")
    dialog = page.get_by_role("dialog", name="API key")
    key = dialog.get_by_label("Key", exact=True)
    expect(key).to_be_focused()
    assert axe(page) == []

    key.fill("sk-wrong")
    key.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("The server does not accept this key.")
    expect(key).to_have_accessible_description("The server does not accept this key.")
    key.fill(KEY)
    dialog.get_by_role("button", name="Use this key").click()

    expect(dialog).to_be_hidden()
    compose(page, "a lamp in a dark room")
    render(page)
    expect_clip(page)
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    thumbnail = page.get_by_role("button", name="Open: a lamp in a dark room").get_by_role("presentation")
    page.wait_for_function("(picture) => picture.naturalWidth > 0", arg=thumbnail.element_handle())

    page.reload()
    expect(page.get_by_role("button", name="Open: a lamp in a dark room")).to_be_visible()
    expect(dialog).to_be_hidden()
    assert KEY in page.evaluate("Object.values(sessionStorage)")
    assert page.evaluate("Object.values(localStorage)") == []
    assert [address for address in addresses if KEY in address] == []
    other = page.context.new_page()
    other.goto("/")
    expect(other.get_by_role("dialog", name="API key")).to_be_visible()


def test_a_key_can_be_forgotten(open_page: OpenPage, server_for_clients: Server) -> None:
    page, problems = open_page(server_for_clients.url)
    problems.expect("status of 401")
    page.goto("/")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")

    page.get_by_role("button", name="API key").click()
    page.get_by_role("button", name="Forget the key").click()

    expect(page.get_by_role("dialog", name="API key").get_by_label("Key", exact=True)).to_be_visible()
    assert KEY not in page.evaluate("Object.values(sessionStorage)")
