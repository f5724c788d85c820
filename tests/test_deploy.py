"""The container files name settings that exist, and keep what they promise."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import PREFIX, Settings, load_settings
from server.weight_names import choose_weights
from weights.registry import REGISTRY
from weights.store import Store

ROOT = Path(__file__).parents[1]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
# Read by compose itself.
COMPOSE_ONLY = {"LTX23_WEIGHTS", "LTX23_PUBLISH"}


@pytest.fixture
def service() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["ltx23"]  # type: ignore[no-any-return]


def test_the_image_sets_only_settings_that_exist() -> None:
    named = set(re.findall(r"LTX23_\w+(?==)", (ROOT / "Dockerfile").read_text()))

    assert named
    assert named <= SETTINGS


def test_compose_sets_only_settings_that_exist(service: dict[str, Any]) -> None:
    assert service["environment"].keys() <= SETTINGS
    assert set(re.findall(r"\$\{(LTX23_\w+)", (ROOT / "compose.yaml").read_text())) <= SETTINGS | COMPOSE_ONLY


def test_compose_asks_for_a_key_and_gives_no_more_rights_than_needed(service: dict[str, Any]) -> None:
    assert service["environment"]["LTX23_API_KEYS"].startswith("${LTX23_API_KEYS:?")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(volume.endswith(":ro") for volume in service["volumes"] if ":/weights" in volume)


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)

    assert users
    assert users[-1] not in {"root", "0"}


def test_compose_finds_the_weights_where_a_pull_puts_them(service: dict[str, Any]) -> None:
    environment = service["environment"]
    named = {name.lower().removeprefix(PREFIX.lower()): value for name, value in environment.items()}
    store = Store(Path(environment["LTX23_WEIGHTS_DIR"]))
    pulled = {part.role: store.path(part) for part in REGISTRY.find("bf16").parts}

    chosen = choose_weights(load_settings(**named))

    assert {role: choice.path for role, choice in chosen.items()} == pulled
    assert any(volume.endswith(f":{store.root}:ro") for volume in service["volumes"])
