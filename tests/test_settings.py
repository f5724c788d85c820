"""Every setting has a flag, a variable, a help text and a row in docs/settings.md."""

import tomllib
from pathlib import Path

import pytest

from server.cli import build_parser
from server.commands.setting_options import flag
from server.commands.settings_page import settings_page
from server.settings import GROUPS, Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[1]


def test_every_setting_has_a_flag_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["serve", "--help"])
    shown = capsys.readouterr().out

    assert [name for name in Settings.model_fields if f"  {flag(name)}" not in shown] == []
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_is_in_one_group() -> None:
    grouped = [name for group in GROUPS for name in group.model_fields]

    assert sorted(grouped) == sorted(Settings.model_fields)


def test_the_settings_page_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()

    assert page == settings_page(), "run: python -m server.commands.settings_page > docs/settings.md"


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTX23_DRAIN_S", "5")
    monkeypatch.setenv("LTX23_LOG_PROMPTS", "1")
    options = vars(build_parser().parse_args(["serve", "--drain-s", "7", "--no-log-prompts"]))
    settings = load_settings(**{name: value for name, value in options.items() if name != "command"})

    assert (settings.drain_s, settings.log_prompts) == (7.0, False)


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "soon"])
def test_an_invalid_number_of_seconds_is_an_error(value: str) -> None:
    with pytest.raises(SettingsError, match="LTX23_DEADLINE_S / --deadline-s: "):
        load_settings(deadline_s=value)


def test_the_command_and_the_api_report_the_packages_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--version"])

    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert capsys.readouterr().out == f"ltx23 {pyproject['project']['version']}\n"
