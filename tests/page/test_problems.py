"""The tests of the pages notice whatever goes wrong in a page."""

import re

import pytest
from playwright.sync_api import Page

from tests.page.conftest import Problems

SCRIPTS = {
    "console.error('no good')": "error on the console: no good",
    "setTimeout(() => { throw new Error('no good') })": "error in a script: Error: no good",
    "fetch('https://elsewhere.invalid/').catch(() => {})": "violates .* Content Security Policy",
    "location.href = 'absent'": "status of 404",
    "location.href = 'https://elsewhere.invalid/'": r"request to another origin: https://elsewhere\.invalid/",
}


def test_a_problem_of_a_page_is_noticed(page: Page, problems: Problems) -> None:
    page.goto("/")
    for script, problem in SCRIPTS.items():
        page.evaluate(f"{{ {script} }}")
        while not any(re.search(problem, found) for found in problems.found):
            page.wait_for_timeout(50)
        with pytest.raises(AssertionError, match=problem):
            problems.check()
    problems.expect(".")


def test_an_expected_problem_has_to_occur(page: Page, problems: Problems) -> None:
    problems.expect("status of 404")

    with pytest.raises(AssertionError, match="expected, but did not occur"):
        problems.check()
    page.goto("/absent")
