"""The docs quote messages that the code prints, and name settings that exist."""

import re
from pathlib import Path

import pytest
from ltx23_client.routes import KEY_VARIABLE, SERVER_VARIABLE

from server.rehearsal.fault import PARTS
from server.rehearsal.rules import read_rules
from server.rehearsal.scenarios import SCENARIOS
from server.settings import PREFIX, Settings
from weights.licenses import ENHANCER_LICENSES, VIDEO_LICENSES, License

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
# Variables of compose and of tests.
OTHER_VARIABLES = {"LTX23_GPUS", "LTX23_WEIGHTS", "LTX23_PUBLISH", "LTX23_TEST_SGLANG_PYTHON"}
OTHER_VARIABLES |= {"LTX23_MEMORY_LIMIT", "LTX23_SGLANG_MEMORY_LIMIT", "LTX23_SGLANG_IMAGE"}
# Of the Python client.
OTHER_VARIABLES |= {SERVER_VARIABLE, KEY_VARIABLE}


def test_troubleshooting_quotes_messages_in_the_code() -> None:
    folders = ("server", "pipelines", "weights", "enhancer")
    source = "\n".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    rows = re.findall(r"^\| `([^`]+)`[^|]* \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    parts = [part.strip() for row in rows for part in row.split("...") if len(part.strip()) > 3]

    assert len(parts) > 10
    assert [part for part in parts if part not in source] == []


@pytest.mark.parametrize("license", [*VIDEO_LICENSES, *ENHANCER_LICENSES], ids=lambda license: license.model)
def test_the_page_of_weights_names_every_licence(license: License) -> None:
    terms = f": {license.terms}" if license.terms else ""
    row = f"| {license.model} | [{license.name}]({license.url}){terms} |"

    assert row in (ROOT / "docs" / "weights.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_settings_that_exist(page: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES

    assert set(re.findall(r"LTX23_[A-Z0-9_]*[A-Z0-9]", page.read_text())) <= known


def test_the_rehearsal_page_has_every_scenario_and_part() -> None:
    page = (ROOT / "docs" / "rehearsal.md").read_text()

    assert [name for name, fault in SCENARIOS.items() if f"| `{name}` | `{fault}` |" not in page] == []
    assert [part for part in PARTS if f"| `{part}=" not in page] == []


def test_the_rehearsal_file_of_the_docs_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "rehearsal.md").read_text(), re.DOTALL)
    (tmp_path / "rehearsal.toml").write_text(example)

    assert len(read_rules(tmp_path / "rehearsal.toml").rules) == 3


def test_the_links_in_the_readme_lead_to_files() -> None:
    """`zensical build --strict` checks the links in docs/."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", (ROOT / "README.md").read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 600
