"""A run as those see it who watch it: metrics, dashboard, logs, traces, and its own summary."""

import json
import os
import re
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from medpipe import Item, load_config, open_store
from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.runtime.meter import WORKER_STATES
from medpipe.runtime.reasons import KNOWN, NONE, OTHER
from medpipe.runtime.summary import last_summary
from medpipe.scheduling import FailureKind
from medpipe.stages.acquire import resolve
from medpipe.telemetry import Trip
from tests.support import command, training
from tests.support.faults import faults_at, wait_for
from tests.support.jobs import short_lectures
from tests.support.monitoring import EXPRESSIONS, dropped_patterns, metrics_of
from tests.support.nodes import ENV
from tests.support.watching import Head, Scrapes, collector, watched_head

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

# What no cluster of one machine without a card and an autoscaler has; test_monitoring.py holds
# these names against Ray's own source.
ELSEWHERE = {
    "ray_node_gpus_utilization", "ray_node_gram_used",  # a card
    "ray_cluster_pending_nodes", "ray_cluster_failed_nodes",  # an autoscaler
}  # fmt: skip
NAMED = {name for _, expression in EXPRESSIONS for name in metrics_of(expression)}
OF_TRAINING = {name for name in NAMED if name.startswith("ray_medpipe_train_")}
STEPS = {step.name for step in (*VIDEO_WALK, RECORD_REJECTION)}
SECRET = "hunter2secret"


@dataclass
class Watched:
    """A run that had a bit of everything, and what was seen of it while it was at work."""

    ids: dict[str, str]
    ran: command.Ran
    scrapes: Scrapes
    actors: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    lines: list[str]
    spans: list[dict[str, Any]]
    out: Path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with watched_head({"MEDPIPE_FAULTS": str(tmp_path_factory.getbasetemp() / "seen.json")}) as one:
        yield one


@pytest.fixture(scope="module")
def watched(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One item good, one late, one whose worker is killed, one with a bug, one no video."""
    folder = tmp_path_factory.mktemp("watched")
    full, killed, buggy, held = short_lectures(folder, [71, 72, 73, 74])
    text = folder / "text.mp4"
    text.write_text("no video at all")
    sources = {"full": full, "killed": killed, "buggy": buggy, "held": held, "text": text}
    ids = {name: id_of(path) for name, path in sources.items()}
    with (
        faults_at(tmp_path_factory.getbasetemp() / "seen.json") as faults,
        collector(folder) as traces,
    ):
        at_work = [
            {"point": "acquire", "item": ids["full"], "action": "enospc", "times": 1},
            {"point": "extract", "item": ids["killed"], "action": "sigkill", "times": 1},
            {"point": "transcribe", "item": ids["buggy"], "action": "raise"},
        ]
        faults.set(*at_work, {"point": "write", "item": ids["held"], "action": "hang"})
        out = folder / "out"
        settings = {
            "log.format": "json", "log.level": "info", "tracing.endpoint": traces.url,
            "runtime.transcribe_gpus": "0.25", "runtime.commit_s": "1",
            "runtime.extract_workers": "2", "runtime.transcribe_workers": "1",
            "runtime.write_workers": "2",  # one is held up
            "scheduling.deadline_base_s": "300",
            "prices.cpu_hour_usd": "3", "prices.gpu_hour_usd": "2",
            "fetch.proxy": f"http://user:{SECRET}@127.0.0.1:9",
        }  # fmt: skip
        run = command.start(
            ["run", *sources.values(), "--out", out, "--recipe", "demo",
             *(part for item in settings.items() for part in ("--set", "=".join(item)))],
            **ENV, **faults.env, RAY_ADDRESS=head.address,
        )  # fmt: skip
        try:
            scrapes = Scrapes(head.metrics)
            wait_for(lambda: run.poll() is not None or all_seen(scrapes.look()), "all metrics")
            assert run.poll() is None, run.communicate()
            seen = head.rows("actors"), head.rows("tasks"), head.ask("api/jobs/")
            spent = {passing.fault for passing in faults.passed()}
            faults.set(*(f for n, f in enumerate(at_work) if "times" not in f or n not in spent))
            told, said = run.communicate(timeout=120)
        finally:
            end(run)
        # Lines and spans of the last second are on their way.
        wait_for(lambda: [s for s in traces.spans() if s["name"] == "write"], "the last spans", 20)
        yield Watched(
            ids, command.Ran(run.returncode, told, said), scrapes, *seen, head.lines(),
            traces.spans(), out,
        )  # fmt: skip


def id_of(path: Path) -> str:
    (item,) = resolve([str(path)], load_config("demo").acquiring)
    assert isinstance(item, Item)
    return item.id


def end(process: "subprocess.Popen[str]") -> None:
    """Leave no process behind."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def all_seen(scrapes: Scrapes) -> bool:
    """Whether every metric of curating is there, and every kind of end but that of the held one."""
    if NAMED - OF_TRAINING - ELSEWHERE - scrapes.series.keys():
        return False
    states = {labels["state"] for labels in scrapes.labels("ray_medpipe_items_total")}
    reasons = {labels["reason"] for labels in scrapes.labels("ray_medpipe_retries_total")}
    return states == {"done", "rejected", "dead"} and reasons == {"disk_full", "worker_died", "bug"}


def test_a_scrape_of_the_run_has_every_metric_that_a_panel_or_an_alert_names(
    watched: Watched,
) -> None:
    assert NAMED - OF_TRAINING - ELSEWHERE - watched.scrapes.series.keys() == set()
    assert not ELSEWHERE & watched.scrapes.series.keys()  # else the list is out of date


def test_labels_come_from_closed_sets_and_name_no_item_and_no_place(watched: Watched) -> None:
    closed = {
        "state": {"done", "rejected", "dead", "ready", "delayed", "leased", "in_flight",
                  *WORKER_STATES},
        "step": STEPS | {"commit", NONE},
        "pool": {step.pool for step in VIDEO_WALK},
        "result": {"done", *FailureKind},
        "reason": KNOWN | {NONE, OTHER},
        "source": {"yt", "pmc", "http", "file"},
    }  # fmt: skip
    ours = [name for name in watched.scrapes.series if name.startswith("ray_medpipe_")]

    for name in ours:
        sets = watched.scrapes.labels(name)
        for labels in sets:
            for key, value in labels.items():
                if key == "le":
                    assert re.fullmatch(r"[0-9.]+|\+Inf", value)
                else:
                    assert value in closed[key], (name, key, value)
        assert len(sets) <= 100, name


def test_what_prometheus_keeps_of_a_scrape_names_no_item(watched: Watched) -> None:
    drops = dropped_patterns()
    kept = [
        (name, labels)
        for name, sets in watched.scrapes.series.items()
        for labels in map(dict, sets)
        if not any(drop.fullmatch(labels.get("Component", "")) for drop in drops)
    ]
    words = (*watched.ids.values(), *(item_id[-20:] for item_id in watched.ids.values()), SECRET)

    assert len(kept) > 100
    assert [one for one in kept if any(word in str(one) for word in words)] == []


def test_the_dashboard_shows_workers_and_steps_by_names_that_read_well(watched: Watched) -> None:
    actors = {actor["repr_name"]: actor["name"] for actor in watched.actors}
    tasks = {task["name"] for task in watched.tasks}
    (job,) = watched.jobs

    assert {"extract-0", "transcribe-0", "write-0"} <= actors.keys()
    assert all(re.fullmatch(r"(extract|transcribe|write)-\d+-[0-9a-f]{8}", name)
               for name in actors.values())  # fmt: skip
    assert {f"{step}[{watched.ids['held']}]" for step in ("acquire", "extract", "write")} <= tasks
    assert {"open[extract-0]", "life[write-0]"} <= tasks
    assert job["metadata"]["job_name"] == "medpipe curate"


def test_every_line_of_the_driver_and_of_workers_is_an_object(watched: Watched) -> None:
    rays_own = re.compile(
        r"\d{4}-\d\d-\d\d .*(INFO|WARNING) worker\.py|:job_id:|:actor_name:|.*\(raylet\)|$"
    )
    lines = [*watched.ran.err.splitlines(), *watched.lines]
    ours = [json.loads(line) for line in lines if line.startswith("{")]

    assert [line for line in lines if not (line.startswith("{") or rays_own.match(line))] == []
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in ours)
    assert SECRET not in "\n".join(lines)


def test_lines_of_workers_say_whose_they_are(watched: Watched) -> None:
    lines = [json.loads(line) for line in watched.lines if line.startswith("{")]
    late = [line for line in lines if line.get("item_id") == watched.ids["full"]]
    steps = [(line["attempt"], line["stage"], line["worker"].split("-")[0]) for line in late]

    assert {(1, "acquire", "extract"), (2, "acquire", "extract"), (2, "extract", "extract"),
            (2, "transcribe", "transcribe"), (2, "write", "write")} == set(steps)  # fmt: skip


def test_the_driver_tells_a_dead_letter_with_its_item(watched: Watched) -> None:
    lines = [json.loads(line) for line in watched.ran.err.splitlines() if line.startswith("{")]
    (dead,) = [line for line in lines if line["level"] == "error"]

    assert dead["message"].startswith("dead letter")
    assert dead["item_id"] == watched.ids["buggy"]
    assert dead["attempt"] >= 2


def of_attempts(watched: Watched, name: str) -> dict[int, list[dict[str, Any]]]:
    """Spans of an item by attempt."""
    found = defaultdict(list)
    for span in watched.spans:
        if span["medpipe.item_id"] == watched.ids[name]:
            found[span["medpipe.attempt"]].append(span)
    return found


def test_an_items_walk_across_workers_is_one_trace(watched: Watched) -> None:
    (spans,) = of_attempts(watched, "held").values()
    (root,) = [span for span in spans if not span["parent"]]
    steps = {span["name"]: span for span in spans if span["parent"]}
    trip = Trip(root["medpipe.run"], watched.ids["held"], 1)

    assert steps.keys() == {"acquire", "extract", "transcribe", "write"}
    assert {span["trace"] for span in spans} == {f"{trip.trace_id:032x}"}
    assert root["span"] == f"{trip.root_id:016x}"
    assert {span["parent"] for span in steps.values()} == {root["span"]}
    assert (root["name"], root["medpipe.state"], root["service"]) == ("item", "done", "medpipe")
    for name, span in steps.items():
        pool = {"acquire": "extract"}.get(name, name)
        assert re.fullmatch(rf"{pool}-\d+", span["medpipe.worker"])
        assert re.fullmatch(r"[0-9a-f]{56}", span["medpipe.node"])
        assert span["medpipe.result"] == "done"
        assert span["medpipe.media_s"] == pytest.approx(6, abs=0.5)
        assert root["start_s"] <= span["start_s"] <= span["end_s"] <= root["end_s"]
    assert steps["acquire"]["end_s"] <= steps["extract"]["start_s"]
    assert steps["extract"]["end_s"] <= steps["write"]["start_s"]


def test_a_repeated_try_is_a_trace_of_its_own_and_says_why(watched: Watched) -> None:
    late = of_attempts(watched, "full")
    roots = {n: next(s for s in spans if not s["parent"]) for n, spans in late.items()}

    assert {n: root["medpipe.state"] for n, root in roots.items()} == {1: "retried", 2: "done"}
    assert roots[1]["medpipe.reason"] == "disk_full"
    assert roots[1]["failed"]
    assert not roots[2]["failed"]
    assert roots[1]["trace"] != roots[2]["trace"]


def test_a_step_whose_worker_was_killed_is_in_its_trace(watched: Watched) -> None:
    (lost,) = [span for span in of_attempts(watched, "killed")[1] if span["name"] == "extract"]

    assert lost["failed"]
    assert (lost["medpipe.result"], lost["medpipe.reason"]) == ("death", "worker_died")


def test_a_summary_lies_beside_the_dataset(watched: Watched) -> None:
    store = open_store(str(watched.out))
    summary = last_summary(store)
    assert summary is not None
    ends = {(end.state, end.place, end.reason): end.number for end in summary.ends}
    stages = {stage.step: stage for stage in summary.stages}
    page = store.read(f"{summary.key}.md").decode()

    assert watched.ran.code == 3
    assert summary.ended == "complete"
    assert ends.pop(("lost", "extract", "worker_died")) == 1
    bystanders = {end for end in ends if end[0] == "retried" and end[2] == "worker_died"}
    assert {end: number for end, number in ends.items() if end not in bystanders} == {
        ("done", "none", "none"): 3,
        ("rejected", "acquire", "not_a_video"): 1,
        ("dead", "transcribe", "bug"): 1,
        ("retried", "acquire", "disk_full"): 1,
        ("retried", "transcribe", "bug"): 1,
    }
    assert ("retried", "extract", "worker_died") in bystanders  # and who was on that worker, too
    assert summary.items["done"] == summary.dataset["done"] == 3
    totals = summary.dataset["totals"]
    assert summary.rows["samples"] == totals["samples"] + totals["parts"] > 0
    assert summary.media_h == pytest.approx(18 / 3600, rel=0.1)
    assert stages["extract"].results["done"] >= 3
    assert stages["extract"].results["death"] == 1
    for step in ("acquire", "extract", "transcribe", "write"):
        stage = stages[step]
        assert stage.run_x is not None
        assert stage.limit_x is not None
        assert stage.of_limit == pytest.approx(stage.run_x / stage.limit_x)
    assert summary.cost.usd is not None
    assert summary.cost.per_sample_usd == pytest.approx(summary.cost.usd / summary.rows["samples"])
    assert summary.cost.per_video_hour_usd == pytest.approx(summary.cost.usd / summary.media_h)
    assert summary.cluster == {"nodes": 1, "cpus": 6, "gpus": 1}
    assert summary.fetched_bytes["file"] > 0
    assert next(pool for pool in summary.pools if pool.pool == "transcribe").gpu_s > 0
    assert SECRET not in page
    assert not [item_id for item_id in watched.ids.values() if item_id in page]
    assert "| rejected | acquire | not_a_video | 1 |" in page
    assert f"{summary.key}.md" in watched.ran.out


def test_status_says_where_the_last_summary_lies(watched: Watched) -> None:
    shown = command.run("status", "--out", watched.out)
    found = command.run("status", "--out", watched.out, "--json").json

    assert "last run: complete, 3 done, 1 rejected, 1 dead" in shown.out
    assert found["last_run"]["summary"] in shown.out
    assert Path(found["last_run"]["summary"]).is_file()


def test_a_scrape_of_training_has_every_metric_that_its_dashboard_names(
    head: Head, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="pip install 'medpipe[train]'")
    data = training.dataset(tmp_path / "pairs", 64)
    config = training.config(
        data,
        loss={"region_weight": 0.1, "trace_weight": 0.1},
        run={"epochs": 1000, "peak_tflops": 0.001},
    )
    part = config.data.model_copy(update={"validation_share": 0.25})
    config = config.model_copy(update={"data": part})
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"genmedclip": config.model_dump(mode="json")}))
    run = command.start(
        ["train", recipe, "--out", tmp_path / "run"],
        **ENV, RAY_ADDRESS=head.address, RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S="200",
    )  # fmt: skip
    scrapes = Scrapes(head.metrics)
    try:
        wait_for(
            lambda: run.poll() is not None or scrapes.look().series.keys() >= OF_TRAINING,
            "all metrics of training",
            240,
        )
        assert run.poll() is None, run.communicate()
    finally:
        end(run)
    by_domain = [name for name in scrapes.series if name.startswith("ray_medpipe_train_loss_")]

    assert scrapes.series.keys() >= OF_TRAINING
    assert 1 <= len(by_domain) <= 13
    ours = [name for name in scrapes.series if name.startswith("ray_medpipe_train_")]
    assert Counter(map(len, (scrapes.series[name] for name in ours))).keys() == {1}
