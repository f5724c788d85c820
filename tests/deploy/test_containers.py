"""The container files use settings that exist, and keep the promises in the docs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.try_image.context import Ignored, copy
from deploy.try_image.dockerfile import read_dockerfile
from enhancer.sglang import SglangOptions
from enhancer.sglang_install import REQUIREMENT
from enhancer.sglang_process import ManagedOptions
from server.commands.weight_names import choose_weights
from server.settings import PREFIX, Settings, load_settings
from weights.registry import REGISTRY
from weights.store import Store

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
# Variables that compose itself reads.
COMPOSE_ONLY = {"LTX23_GPUS", "LTX23_WEIGHTS", "LTX23_PUBLISH", "LTX23_MEMORY_LIMIT"}
COMPOSE_ONLY |= {"LTX23_SGLANG_IMAGE", "LTX23_SGLANG_MEMORY_LIMIT"}
FILES = ("compose.yaml", *(f"deploy/compose/{name}.yaml" for name in ("cpu", "pull", "monitoring")))
# The files that are given to compose together.
PROJECTS = (
    ("compose.yaml",),
    ("deploy/compose/cpu.yaml",),
    ("compose.yaml", "deploy/compose/pull.yaml"),
    ("compose.yaml", "deploy/compose/monitoring.yaml"),
)
COMPOSE = shutil.which("docker-compose", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or "docker-compose"
STAGES = read_dockerfile(ROOT / "Dockerfile", {})
REQUIRED = {"LTX23_API_KEYS": "k", "LTX23_WEIGHTS": "/weights", "METRICS_KEY": "k", "GRAFANA_PASSWORD": "p"}


def services_of(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / file).read_text())["services"]


# Every service that is started, by its file; pull.yaml only changes one.
SERVICES = {
    f"{file}:{name}": service for file in FILES for name, service in services_of(file).items() if "image" in service
}


@pytest.fixture
def services() -> dict[str, Any]:
    return services_of("compose.yaml")


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


@pytest.mark.parametrize("file", FILES)
def test_compose_sets_only_settings_that_exist(file: str) -> None:
    environment = services_of(file).get("ltx23", {}).get("environment", {})
    assert {name for name in environment if name.startswith(PREFIX)} <= SETTINGS
    assert set(re.findall(r"\$\{(LTX23_\w+)", (ROOT / file).read_text())) <= SETTINGS | COMPOSE_ONLY


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: " ".join(map(str, project)))
@pytest.mark.parametrize("profile", ["", "enhancer"])
def test_compose_accepts_the_files(project: tuple[str, ...], profile: str) -> None:
    files = [word for name in project for word in ("--file", name)]
    environment = {"PATH": os.environ["PATH"], "COMPOSE_PROFILES": profile} | REQUIRED

    done = subprocess.run(
        [COMPOSE, *files, "config", "--quiet"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_a_compose_file_mounts_is_here() -> None:
    mounted = re.findall(r"- \./(\S+?):", (ROOT / "deploy" / "compose" / "monitoring.yaml").read_text())

    assert len(mounted) == 4
    assert all((ROOT / path).exists() for path in mounted)


def test_compose_requires_a_key(service: dict[str, Any]) -> None:
    assert service["environment"]["LTX23_API_KEYS"].startswith("${LTX23_API_KEYS:?")


@pytest.mark.parametrize("name", SERVICES)
def test_compose_gives_no_more_rights_than_needed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    mounts = [(set(mount.split(":")[1].split(",")), mount) for mount in service.get("tmpfs", [])]
    assert all({"nosuid", "nodev"} < options and "size=" in mount for options, mount in mounts)
    limits = service["deploy"]["resources"]["limits"]
    assert re.fullmatch(r"\$\{LTX23_\w+:-\d+g\}|\d+g", limits["memory"])
    assert limits["pids"] > 0
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert all(re.match(r"\$\{\w+:-127\.0\.0\.1:\d+\}:", port) for port in service.get("ports", []))


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_other_images_are_pinned(name: str) -> None:
    image = services_of("deploy/compose/monitoring.yaml")[name]["image"]

    assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)


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
    (image,) = (stage for stage in STAGES if stage.name == service["build"]["target"])
    variables = [pair for each in image.instructions if each.keyword == "ENV" for pair in each.pairs().items()]
    homes = [value for name, value in variables if name in ("HOME", "HF_HOME", "LTX23_CACHE_DIR", "LTX23_DATA_DIR")]
    assert len(homes) == 4
    assert all(home.startswith("/data") for home in homes)


def test_the_base_images_are_pinned() -> None:
    images = {stage.base for stage in STAGES} - {stage.name for stage in STAGES} - {"scratch"}

    assert len(images) == 2
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_does_not_run_as_root(target: str) -> None:
    stage = next(stage for stage in STAGES if stage.name == target)

    assert [each.text for each in stage.instructions if each.keyword == "USER"] == ["10001:10001"]
    assert "--owner 10001 --group 10001 --mode 0700 /data" in (ROOT / "Dockerfile").read_text()


def test_an_engine_builds_the_image_for_gpus_unless_told_otherwise() -> None:
    assert STAGES[-1].name == "gpu"


def test_every_file_that_an_image_copies_is_in_the_build_context(tmp_path: Path) -> None:
    ignored = Ignored.of(ROOT)
    copied = [each.words() for stage in STAGES for each in stage.instructions if each.keyword == "COPY"]
    sources = [source for words in copied if not words[0].startswith("--from") for source in words[:-1]]

    copy(ROOT, ignored, sources, tmp_path)

    assert {"server", "ltx23_pytest", "requirements.lock"} <= set(sources)
    assert not list(tmp_path.rglob("*.pyc"))


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/compose/cpu.yaml"])
def test_compose_runs_the_server_as_the_images_user(file: str) -> None:
    service = services_of(file)["ltx23"]

    assert f"USER {service['user']}" in (ROOT / "Dockerfile").read_text()
    assert service["build"]["target"] in {stage.name for stage in STAGES}


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
