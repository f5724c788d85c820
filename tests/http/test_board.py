"""The alerts and the Grafana board in `deploy/` use only metrics that a real server has.

The tests check names, labels and brackets of their expressions; promtool would check everything.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.http.conftest import SMALL

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "ltx23.json").read_text())
TARGETS = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", [])]
EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + TARGETS

NAME = re.compile(r"\b(?:ltx23|process)_\w+")
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
DURATION = re.compile(r"\[(\d+[smhd]|\$__rate_interval)\]")
FUNCTIONS = {"sum", "rate", "increase", "histogram_quantile", "by", "and"}

# Labels that Prometheus itself adds to a series, or has on its own series.
SCRAPED = {"instance", "job"}
# Samples that only a server with a GPU has.
GPU = {"ltx23_gpu_allocated_bytes", "ltx23_gpu_total_bytes"}
CLOSES = {")": "(", "]": "[", "}": "{"}


@pytest.fixture(scope="module")
def series(client: httpx.Client) -> dict[str, dict[str, set[str]]]:
    """Return the labels of each sample, by its name, with the values that they have here."""
    assert client.post("/generate", json=SMALL).status_code == 200
    found: dict[str, dict[str, set[str]]] = {name: {} for name in GPU}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def test_there_are_alerts_and_panels() -> None:
    assert len(RULES) >= 10
    assert len(TARGETS) >= 15
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS)
def test_an_expression_uses_metrics_and_labels_that_exist(
    where: str, expr: str, series: dict[str, dict[str, set[str]]]
) -> None:
    names = set(NAME.findall(expr))
    assert names or expr.startswith("up{")
    assert names <= series.keys()
    for name, matchers in SELECTOR.findall(expr):
        for label, operator, value in MATCHER.findall(matchers):
            if label in SCRAPED:
                continue
            assert label in series[name], f"{name} has no label {label}"
            wanted = set(value.split("|")) if operator == "=~" else {value}
            # A status appears with the first answer that has it.
            assert wanted <= series[name][label] or label == "status"


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS)
def test_an_expression_is_well_formed(where: str, expr: str) -> None:
    open_brackets: list[str] = []
    for char in re.sub(r'"[^"]*"', '""', expr):
        if char in "([{":
            open_brackets.append(char)
        elif char in CLOSES:
            assert open_brackets, f"unmatched {char}"
            assert open_brackets.pop() == CLOSES[char]
    assert open_brackets == []
    assert len(DURATION.findall(expr)) == expr.count("[")
    assert set(re.findall(r"\b([a-z_]+)\s*\(", re.sub(r'"[^"]*"', "", expr))) <= FUNCTIONS
    assert expr.count("rate(") + expr.count("increase(") == len(DURATION.findall(expr))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_and_a_description(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description"}
    assert re.search(r"[<>=]", re.sub(r"\{[^}]*\}", "", rule["expr"])), "the expression compares nothing"


def test_the_example_configuration_scrapes_this_server_and_loads_these_rules(client: httpx.Client) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())

    (scrape,) = config["scrape_configs"]
    assert client.get(scrape["metrics_path"]).status_code == 200
    assert scrape["authorization"]["type"] == "Bearer"
    assert f'job="{scrape["job_name"]}"' in RULES[0]["expr"]
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
