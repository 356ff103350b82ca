"""The dashboards and alerts that ship, and the metrics that their queries name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from infra.grafana.build import files

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra/prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"]]
BOARDS = {name: json.loads(text) for name, text in files().items()}
_CONFIGS = ("prometheus.yml", "prometheus-kubernetes.yml")
_NAME = re.compile(r"\b(ray_[a-z0-9_]+)\b")


def _expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for board in BOARDS.values():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{board['uid']}: {panel['title']}", target["expr"]


# Every query with where it stands.
EXPRESSIONS = list(_expressions())


def dropped_patterns() -> list[re.Pattern[str]]:
    """What Prometheus leaves of a scrape, by the label `Component`; both configs say the same."""
    told = []
    for name in _CONFIGS:
        config = yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))
        told.append([rule for job in config["scrape_configs"]
                     for rule in job["metric_relabel_configs"]])  # fmt: skip
    assert told[0] == told[1]
    assert all((r["action"], r["source_labels"]) == ("drop", ["Component"]) for r in told[0])
    return [re.compile(rule["regex"]) for rule in told[0]]


def metrics_of(expression: str) -> set[str]:
    """Names without those inside a matcher, which may be patterns."""
    return set(_NAME.findall(re.sub(r"\{[^}]*\}", "", expression)))
