"""The prompt is rewritten on the start page, beside the one that was written."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.http.test_enhance import REWRITE, language_model
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.page.actions import open_form
from tests.page.conftest import OpenPage


@pytest.fixture(scope="module")
def enhancing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server that rewrites prompts, and return its address. No clip is rendered."""
    folder = tmp_path_factory.mktemp("enhancing")
    with (
        language_model() as sglang,
        serve(program_of("behaves"), folder, sglang_url=sglang.url, captioner="off") as served,
    ):
        yield str(served.client.base_url)


def test_a_rewrite_is_chosen_and_undone(open_page: OpenPage, enhancing: str, axe: Callable[[Page], list[str]]) -> None:
    page, _ = open_page(enhancing)
    open_form(page)
    prompt = page.get_by_label("Prompt", exact=True)
    expect(page.get_by_role("button", name="Rewrite")).to_be_disabled()
    prompt.fill("a red fox")

    page.get_by_role("button", name="Rewrite").click()
    choice = page.get_by_role("group", name="Rewritten prompt")
    expect(choice.get_by_text(REWRITE)).to_be_visible()
    expect(choice.get_by_text("a red fox", exact=True)).to_be_visible()
    assert axe(page) == []
    choice.get_by_role("button", name="Use the rewrite").click()

    expect(prompt).to_have_value(REWRITE)
    expect(choice).to_be_hidden()
    page.get_by_role("button", name="Undo rewrite").click()
    expect(prompt).to_have_value("a red fox")


def test_ones_own_prompt_is_kept(open_page: OpenPage, enhancing: str) -> None:
    page, _ = open_page(enhancing)
    open_form(page)
    page.get_by_label("Prompt", exact=True).fill("a red fox")

    page.get_by_role("button", name="Rewrite").click()
    page.get_by_role("button", name="Keep yours").click()

    expect(page.get_by_role("group", name="Rewritten prompt")).to_be_hidden()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a red fox")
