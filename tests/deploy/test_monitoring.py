"""The alert rules, the dashboard and docs/metrics.md know the metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.operations.metrics.names import METRICS, PROCESS, Metric, Sort

ROOT = Path(__file__).parents[2]
ALERTS_TEST = ROOT / "deploy" / "prometheus" / "alerts_test.yaml"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "fetion-gateway.json"
PAGE = ROOT / "docs" / "metrics.md"
ADDED = frozenset({"instance", "job", "le"})
"""Labels that Prometheus adds, and those of buckets."""
SEVERITIES = frozenset({"page", "ticket"})


def scraped(metric: Metric) -> list[str]:
    """The names under which a metric is scraped."""
    if metric.sort is Sort.HISTOGRAM:
        return [f"{metric.name}_{end}" for end in ("bucket", "sum", "count")]
    return [f"{metric.name}_total" if metric.sort is Sort.COUNTER else metric.name]


NAMES = {name: metric for metric in (*METRICS, *PROCESS) for name in scraped(metric)}


def faults(expression: str) -> Iterator[str]:
    """What is wrong with the names, labels and brackets of an expression in PromQL."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    used = re.findall(r"\bfetion_\w+", plain)
    yield from (f"no metric {name}" for name in used if name not in NAMES)
    known = ADDED.union(*(NAMES[name].labels for name in used if name in NAMES))
    for selector in re.finditer(r"(fetion_\w+)?\{([^}]*)\}", plain):
        own = ADDED.union(NAMES[selector[1]].labels) if selector[1] in NAMES else known
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector[2]):
            if label not in own:
                yield f"no label {label} of {selector[1]}"
    for group in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", plain):
        yield from (f"no label {label}" for label in re.findall(r"\w+", group) if label not in known)
    for one, other in ("()", "[]", "{}"):
        if plain.count(one) != plain.count(other):
            yield f"{one}{other} do not match"


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alert(rule: dict[str, Any]) -> None:
    """An alert has the shape of a rule, says what to do, and names metrics and labels that there are."""
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Fetion[A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "0s"))
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "action"}
    assert list(faults(rule["expr"])) == []
    assert "fetion_" in rule["expr"] or rule["expr"].startswith("up{")
    used = [NAMES[name] for name in re.findall(r"\bfetion_\w+", rule["expr"])]
    known = ADDED.union(*(metric.labels for metric in used))
    for text in rule["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= known
        assert text.strip().endswith((".", "?")) or text == rule["annotations"]["summary"]


def test_alerts_have_names_of_their_own() -> None:
    """No two alerts have the same name; promtool, where it is there, takes the file, and its tests."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    promtool = shutil.which("promtool")
    if promtool is not None:
        subprocess.run([promtool, "check", "rules", str(ALERTS)], check=True, timeout=60)
        subprocess.run([promtool, "test", "rules", str(ALERTS_TEST)], check=True, timeout=60)


def test_dashboard() -> None:
    """Every panel of the dashboard asks for metrics and labels that there are, and has its own place."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in panels]
    assert len(set(places)) == len(places)
    asked = [target for panel in panels for target in panel.get("targets", ())]
    assert len(asked) > 30
    for target in asked:
        assert list(faults(target["expr"])) == [], target["expr"]
        used = [NAMES[name] for name in re.findall(r"\bfetion_\w+", target["expr"])]
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert shown <= ADDED.union(*(metric.labels for metric in used))


def test_faults_are_found() -> None:
    """The check of expressions finds a name and labels that there are not, and an open bracket."""
    assert "no metric fetion_message_total" in faults('rate(fetion_message_total{direction="in"}[5m])')
    assert list(faults('fetion_binds{mode="x"}')) == ["no label mode of fetion_binds"]
    assert list(faults("sum by (account) (fetion_ready)")) == ["no label account"]
    assert list(faults("sum(fetion_ready")) == ["() do not match"]


def test_page_has_every_metric() -> None:
    """The table of the page has each metric with its kind, labels and words, and no other."""
    rows = re.findall(
        r"^\| `(fetion_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    wanted = [
        (
            f"{each.name}_total" if each.sort is Sort.COUNTER else each.name,
            each.sort.value,
            " ".join(f"`{label}`" for label in each.labels) or "-",
            each.help,
        )
        for each in (*METRICS, *PROCESS)
    ]
    assert rows == wanted
