"""The container files name settings that exist, and keep what they promise."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import PREFIX, Settings
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


def test_compose_asks_for_a_key(service: dict[str, Any]) -> None:
    assert service["environment"]["LTX23_API_KEYS"].startswith("${LTX23_API_KEYS:?")


def test_compose_gives_no_more_rights_than_needed(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert all(volume.endswith(":ro") for volume in service["volumes"] if ":/weights" in volume)
    assert service["ports"] == ["${LTX23_PUBLISH:-127.0.0.1:8000}:8000"]


def test_what_may_be_written_is_the_volume_and_a_bounded_tmp(service: dict[str, Any]) -> None:
    (tmp,) = service["tmpfs"]
    path, options = tmp.split(":")
    assert path == "/tmp"
    assert {"noexec", "nosuid", "nodev"} < set(options.split(","))
    assert "size=" in options
    writable = [volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")]
    assert writable == ["/data"]
    homes = re.findall(r"(?:HOME|LTX23_CACHE_DIR)=(\S+)", (ROOT / "Dockerfile").read_text())
    assert homes
    assert all(home.startswith("/data") for home in homes)


def test_the_image_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)", dockerfile, flags=re.MULTILINE)

    assert users == ["10001:10001"]
    assert "--owner 10001 --group 10001 --mode 0700 /data" in dockerfile


def test_compose_runs_it_as_the_images_user(service: dict[str, Any]) -> None:
    assert f"USER {service['user']}" in (ROOT / "Dockerfile").read_text()


def test_compose_finds_the_weights_where_a_pull_puts_them(service: dict[str, Any]) -> None:
    store = Store(Path("/weights"))
    pulled = {str(part.role): str(store.path(part)) for part in REGISTRY.find("bf16", None).parts}
    settings = {PREFIX + role.upper(): path for role, path in pulled.items()}

    assert {name: path for name, path in service["environment"].items() if path.startswith("/weights")} == settings
