"""The container files use settings that exist, and keep the promises in the docs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from enhancer.sglang import SglangOptions
from enhancer.sglang_install import REQUIREMENT
from enhancer.sglang_process import ManagedOptions
from server.commands.weight_names import choose_weights
from server.settings import PREFIX, Settings, load_settings
from weights.registry import REGISTRY
from weights.store import Store

ROOT = Path(__file__).parents[1]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
# Variables that compose itself reads.
COMPOSE_ONLY = {"LTX23_GPUS", "LTX23_WEIGHTS", "LTX23_PUBLISH", "LTX23_MEMORY_LIMIT"}
COMPOSE_ONLY |= {"LTX23_SGLANG_IMAGE", "LTX23_SGLANG_MEMORY_LIMIT"}


@pytest.fixture
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


@pytest.fixture
def service(services: dict[str, Any]) -> dict[str, Any]:
    return services["ltx23"]


@pytest.fixture
def sglang(services: dict[str, Any]) -> dict[str, Any]:
    return services["sglang"]


def test_the_image_sets_only_settings_that_exist() -> None:
    named = set(re.findall(r"LTX23_\w+(?==)", (ROOT / "Dockerfile").read_text()))

    assert named
    assert named <= SETTINGS


def test_compose_sets_only_settings_that_exist(service: dict[str, Any]) -> None:
    assert service["environment"].keys() <= SETTINGS
    assert set(re.findall(r"\$\{(LTX23_\w+)", (ROOT / "compose.yaml").read_text())) <= SETTINGS | COMPOSE_ONLY


def test_compose_requires_a_key(service: dict[str, Any]) -> None:
    assert service["environment"]["LTX23_API_KEYS"].startswith("${LTX23_API_KEYS:?")


@pytest.mark.parametrize("name", ["ltx23", "sglang"])
def test_compose_gives_no_more_rights_than_needed(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["init"] is True
    assert all(
        {"nosuid", "nodev"} < set(mount.split(":")[1].split(",")) and "size=" in mount for mount in service["tmpfs"]
    )
    assert re.fullmatch(r"\$\{LTX23_\w+:-\d+g\}", service["deploy"]["resources"]["limits"]["memory"])
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_weights_are_read_only_and_the_port_is_on_loopback(service: dict[str, Any]) -> None:
    assert all(volume.endswith(":ro") for volume in service["volumes"] if ":/weights" in volume)
    assert service["ports"] == ["${LTX23_PUBLISH:-127.0.0.1:8000}:8000"]


def test_only_the_volume_and_a_limited_tmp_are_writable(service: dict[str, Any]) -> None:
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


def test_the_base_image_is_pinned() -> None:
    images = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)

    assert images
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)


def test_the_image_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)", dockerfile, flags=re.MULTILINE)

    assert users == ["10001:10001"]
    assert "--owner 10001 --group 10001 --mode 0700 /data" in dockerfile


def test_compose_runs_the_server_as_the_images_user(service: dict[str, Any]) -> None:
    assert f"USER {service['user']}" in (ROOT / "Dockerfile").read_text()


def test_compose_reads_the_weights_from_where_a_pull_puts_them(service: dict[str, Any]) -> None:
    environment = service["environment"]
    named = {
        name.lower().removeprefix(PREFIX.lower()): value for name, value in environment.items() if "${" not in value
    }
    store = Store(Path(environment["LTX23_WEIGHTS_DIR"]))
    pulled = {part.role: store.path(part) for part in REGISTRY.find("bf16").parts}

    chosen = choose_weights(load_settings(**named))

    assert {role: choice.path for role, choice in chosen.items()} == pulled
    assert any(volume.endswith(f":{store.root}:ro") for volume in service["volumes"])


def test_sglang_is_optional_and_has_to_be_ready_first(service: dict[str, Any], sglang: dict[str, Any]) -> None:
    assert sglang["profiles"] == ["enhancer"]
    assert service["depends_on"] == {"sglang": {"condition": "service_healthy", "required": False}}
    assert service["environment"]["LTX23_SGLANG_URL"].endswith("${COMPOSE_PROFILES:+http://sglang:30000}}")
    assert "http://127.0.0.1:30000/ready" in sglang["healthcheck"]["test"][-1]
    assert "ports" not in sglang


def test_sglang_is_the_release_that_the_enhancer_installs(sglang: dict[str, Any]) -> None:
    release = REQUIREMENT.removeprefix("sglang==")
    assert sglang["image"] == f"${{LTX23_SGLANG_IMAGE:-lmsysorg/sglang:v{release}}}"


def test_sglang_has_the_same_options_as_a_managed_one(service: dict[str, Any], sglang: dict[str, Any]) -> None:
    options = dict(word.removeprefix("--").split("=") for word in sglang["command"][3:])
    defaults = ManagedOptions(Path("python"))
    for name in (
        *("context_length", "max_total_tokens", "mem_fraction_static"),
        *("max_running_requests", "max_queued_requests"),
    ):
        assert options[name.replace("_", "-")] == str(getattr(defaults, name))
    assert options["model-path"] == service["environment"]["LTX23_SGLANG_MODEL"]
    assert options["model-path"] == f"${{LTX23_SGLANG_MODEL:-{SglangOptions('').model}}}"
    (card,), (cards,) = (each["deploy"]["resources"]["reservations"]["devices"] for each in (sglang, service))
    assert card == cards | {"count": 1}
    assert cards["count"] == "${LTX23_GPUS:-1}"
