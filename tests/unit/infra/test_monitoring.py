"""Alerts fire under promtool, and every metric that is named is one that something exports."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from medpipe.records import Domain
from medpipe.runtime import reasons, training
from medpipe.scheduling.events import FailureKind
from tests.support.monitoring import ALERTS, BOARDS, EXPRESSIONS, PROMETHEUS, ROOT, metrics_of

INSTALL = "needs promtool: apt-get install prometheus"
OF_A_HISTOGRAM = ("_bucket", "_sum", "_count")


def trees(*paths: Path) -> Iterator[ast.AST]:
    for path in paths:
        yield from ast.walk(ast.parse(path.read_text("utf-8")))


def called_by_name(node: ast.AST) -> str | None:
    """The metric that a sink is told by a literal name."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("count", "gauge", "observe")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ):
        return str(node.args[0].value)
    return None


@cache
def of_curating() -> frozenset[str]:
    """What the code tells its sink."""
    sources = (ROOT / "medpipe").rglob("*.py")
    found = {f"ray_{name}" for node in trees(*sources) if (name := called_by_name(node))}
    return frozenset(name for name in found if name.startswith("ray_medpipe_"))


@cache
def of_training() -> frozenset[str]:
    """What the loop's figures are called, as `training` exports them."""
    assert "f\"medpipe_train_{name.replace('/', '_')}\"" in Path(training.__file__).read_text()
    room = ROOT / "medpipe/genmedclip"
    words = {
        node.value
        for node in trees(room / "meter.py", room / "validation.py", room / "loop.py")
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    words |= {f"loss/{domain.value}" for domain in Domain}
    return frozenset(
        f"ray_medpipe_train_{word.replace('/', '_')}"
        for word in words
        if re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)?", word)
    )


@cache
def of_ray() -> bytes:
    """Where Ray's own metrics have their names: its dashboard and its core."""
    package = Path(ray.__file__).parent
    places = (
        package / "dashboard/modules/reporter/reporter_agent.py",
        package / "core/src/ray/gcs/gcs_server",
        package / "core/src/ray/raylet/raylet",
    )
    return b"\n".join(place.read_bytes() for place in places)


def plain(name: str) -> str:
    """A metric's name as the code has it: Prometheus sees three for a histogram."""
    for ending in OF_A_HISTOGRAM:
        if name.endswith(ending) and name.removesuffix(ending) in of_curating():
            return name.removesuffix(ending)
    return name


def is_exported(name: str) -> bool:
    if name.startswith("ray_medpipe_train_"):
        return name in of_training()
    if name.startswith("ray_medpipe_"):
        return plain(name) in of_curating()
    bare = name.removeprefix("ray_")
    return re.search(rb"(?<![a-z_])" + bare.encode() + rb"(?![a-z_])", of_ray()) is not None


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[w for w, _ in EXPRESSIONS])
def test_a_query_names_only_metrics_that_are_exported(where: str, expression: str) -> None:
    unknown = {name for name in metrics_of(expression) if not is_exported(name)}

    assert unknown == set(), where


@pytest.mark.parametrize(
    "name", ["ray_medpipe_videos_total", "ray_medpipe_train_lost", "ray_node_disk_frei"]
)
def test_a_metric_that_nobody_exports_is_noticed(name: str) -> None:
    assert metrics_of(f'sum(rate({name}{{state="x"}}[5m]))') == {name}
    assert not is_exported(name)


def test_results_that_a_query_asks_for_are_kinds_of_failure() -> None:
    matchers = [m for _, e in EXPRESSIONS for m in re.findall(r'result=~?"([a-z|]+)"', e)]
    asked = {result for matcher in matchers for result in matcher.split("|")}

    assert {"bug", "transient"} <= asked
    assert asked <= {kind.value for kind in FailureKind}


def test_images_keep_item_names_out_of_rays_own_metrics() -> None:
    assert "RAY_metric_cardinality_level=low" in (ROOT / "Dockerfile").read_text("utf-8")


def test_reasons_that_a_query_asks_for_are_ones_that_metrics_know() -> None:
    matchers = [m for _, e in EXPRESSIONS for m in re.findall(r'reason=~?"([a-z_|]+)"', e)]
    asked = {reason for matcher in matchers for reason in matcher.split("|")}

    assert {"rate_limited", "disk_full"} <= asked
    assert asked <= reasons.KNOWN


def test_every_metric_that_curating_exports_is_on_its_dashboard() -> None:
    board = " ".join(e for where, e in EXPRESSIONS if where.startswith("medpipe-curate"))

    assert of_curating() - set(map(plain, metrics_of(board))) == set()


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_dashboard_is_what_its_tables_say_and_its_panels_do_not_overlap(name: str) -> None:
    board = json.loads((ROOT / "infra/grafana" / name).read_text("utf-8"))
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]

    assert board == BOARDS[name]
    assert len(set(places)) == len(places)
    assert all(x + width <= 24 for x, _, width, _ in places)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "action"}


def test_every_alert_is_seen_firing_and_seen_silent() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text("utf-8"))["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}

    assert {check["alertname"] for check in checks if check.get("exp_alerts")} == names
    assert {check["alertname"] for check in checks if not check.get("exp_alerts")} == names


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("promtool")
    if program is None:
        pytest.skip(INSTALL)
    return subprocess.run(
        [program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )


@pytest.mark.system
def test_promtool_takes_config_and_rules() -> None:
    for arguments in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
def test_under_promtool_every_alert_fires_when_it_should_and_only_then() -> None:
    done = promtool("test", "rules", "alerts_test.yml")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
def test_promtool_refuses_an_alert_that_does_not_fire(tmp_path: Path) -> None:
    for name in ("alerts.yml", "alerts_test.yml"):
        text = (PROMETHEUS / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("cost_usd) > 500", "cost_usd) > 5000"))

    done = promtool("test", "rules", str(tmp_path / "alerts_test.yml"))

    assert done.returncode != 0
    assert "MedpipeCost" in done.stdout + done.stderr


@pytest.mark.system
def test_promtool_parses_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query_{n}", "expr": e} for n, (_, e) in enumerate(EXPRESSIONS)]
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]})
    )

    done = promtool("check", "rules", str(tmp_path / "rules.yml"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout


def test_the_builder_writes_what_lies_there(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "infra/grafana", tmp_path / "grafana")
    for name in BOARDS:
        (folder / name).unlink()

    subprocess.run([sys.executable, str(folder / "build.py")], check=True)

    for name in BOARDS:
        assert (folder / name).read_bytes() == (ROOT / "infra/grafana" / name).read_bytes()
