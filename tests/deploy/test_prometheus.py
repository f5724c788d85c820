"""deploy/prometheus and deploy/grafana in a real Prometheus that scrapes a server whose worker renders nothing."""

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.http.conftest import closed_port
from tests.jobs.conftest import program_of
from tests.jobs.serving import Served, serve, worker_of
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs prometheus and promtool, Debian's package prometheus",
)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONFIGURATIONS = (DEPLOY / "prometheus" / "prometheus.yaml", DEPLOY / "compose" / "prometheus.yaml")
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "ltx23.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", [])]
# What only a server with a GPU has.
GPU = "GPU memory"
KEY = "sk-metrics"
CLIP = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9, "enhance_prompt": True}
WORKER = program_of("reports_everything")
# What Grafana puts in: every server, and a time that contains the test.
VARIABLES = {"$instance": ".*", "$__rate_interval": "10m"}


def promtool(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def configuration(example: Path, folder: Path, address: str) -> Path:
    """Write an example configuration with this server's address and key, beside the rules that it names."""
    config = yaml.safe_load(example.read_text())
    (folder / "key").write_text(KEY)
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for scrape in config["scrape_configs"]:
        scrape["authorization"]["credentials_file"] = str(folder / "key")
        scrape["static_configs"] = [{"targets": [address]}]
    shutil.copy(DEPLOY / "prometheus" / "alerts.yaml", folder)
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize("example", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_promtool_accepts_the_configuration(example: Path, tmp_path: Path) -> None:
    promtool("check", "config", str(configuration(example, tmp_path, "127.0.0.1:8000")), cwd=tmp_path)


def test_each_alert_fires_when_it_should() -> None:
    promtool("test", "rules", "alerts.yaml", cwd=Path(__file__).parent)
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    tested = (Path(__file__).parent / "alerts.yaml").read_text()
    assert [rule["alert"] for rule in rules if f'alertname="{rule["alert"]}"' not in tested] == []


@contextmanager
def run_prometheus(server: Served, folder: Path) -> Iterator[httpx.Client]:
    """Run Prometheus until it has two samples of everything: before and after a clip, a rewrite and a lost worker."""
    port = closed_port()
    config = configuration(CONFIGURATIONS[0], folder, address_of(server))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"]
    with subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"]) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                use(server, client)
                yield client
        finally:
            process.terminate()


def use(server: Served, prometheus: httpx.Client) -> None:
    wait_for(lambda: is_up(prometheus))
    wait_for(lambda: query(prometheus, "ltx23_ready == 1"))
    # A series begins with the first request of its route; its rate needs a second one.
    for number in (1, 2):
        assert server.client.post("/generate", json=CLIP, headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
        wait_for(partial(query, prometheus, f'ltx23_jobs_total{{outcome="done"}} >= {number}'))
    worker_of(WORKER).kill()
    wait_for(lambda: query(prometheus, "ltx23_worker_restarts_total >= 1"))
    wait_for(lambda: query(prometheus, "ltx23_ready == 1"))


def address_of(server: Served) -> str:
    return server.client.base_url.netloc.decode()


def is_up(prometheus: httpx.Client) -> bool:
    try:
        return bool(query(prometheus, 'up{job="ltx23"} == 1'))
    except httpx.TransportError:
        return False


def query(prometheus: httpx.Client, expression: str) -> list[float]:
    answer = prometheus.get("/api/v1/query", params={"query": expression})
    if answer.status_code == 503:  # it is still starting
        return []
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["resultType"] == "vector"
    return [float(sample["value"][1]) for sample in data["result"]]


def shows_something(panel: str, expression: str, prometheus: httpx.Client) -> bool:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    values = query(prometheus, expression)
    return any(math.isfinite(value) for value in values) or panel == GPU


def evaluated_rules(prometheus: httpx.Client) -> list[dict[str, Any]] | None:
    """Return the rules once each has been evaluated."""
    (group,) = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules if all(rule["health"] != "unknown" for rule in rules) else None


def test_a_real_prometheus_has_values_for_every_panel_and_evaluates_every_rule(
    tmp_path: Path,
) -> None:
    # The language model is not there: prompts are to be enhanced, and stay as they are.
    nobody = f"http://127.0.0.1:{closed_port()}"
    with (
        serve(WORKER, tmp_path / "work", api_keys=KEY, sglang_url=nobody, captioner="off") as server,
        run_prometheus(server, tmp_path) as prometheus,
    ):
        assert [each for each in QUERIES if not shows_something(*each, prometheus)] == []

        (variable,) = (each for each in BOARD["templating"]["list"] if each["type"] == "query")
        assert variable["query"] == "label_values(ltx23_ready, instance)"
        found = prometheus.get("/api/v1/label/instance/values", params={"match[]": "ltx23_ready"}).json()["data"]
        assert found == [address_of(server)]

        rules = wait_for(lambda: evaluated_rules(prometheus))
        assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
        assert len(rules) == 13
