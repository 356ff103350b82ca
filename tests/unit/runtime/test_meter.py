"""What a run counts: closed sets of labels, and worker-seconds by state."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe.queues import QueueCounts
from medpipe.runtime.meter import Meter
from medpipe.runtime.reasons import KNOWN, NONE, OTHER, label
from medpipe.stages.acquire import failures

ROOT = Path(__file__).parents[3] / "medpipe"
# Training and judging have codes of their own, which no metric of curating carries.
ROOMS = [p for p in ROOT.rglob("*.py") if "genmedclip" not in p.parts]


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float, dict[str, str]]] = []

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        self.told.append((name, amount, labels))

    gauge = observe = count

    def of(self, name: str) -> list[tuple[float, dict[str, str]]]:
        return [(amount, labels) for told, amount, labels in self.told if told == name]


def codes_in_the_source() -> Iterator[str]:
    """Reason codes that the code raises by a literal."""
    at = {"Rejected": 0, "Transient": 0, "Failure": 1}
    for path in ROOMS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = at.get(node.func.id, len(node.args))
                if place < len(node.args) and isinstance(node.args[place], ast.Constant):
                    yield node.args[place].value  # type: ignore[attr-defined]


def test_every_code_that_the_source_raises_has_a_label_of_its_own() -> None:
    of_fetches = {code for _, code, _ in failures._MESSAGES}
    of_statuses = {*failures._REJECTED.values(), *failures._TRANSIENT.values()}
    found = {*codes_in_the_source(), *of_fetches, *of_statuses}

    assert len(found) > 40
    assert found - KNOWN == set()


@pytest.mark.parametrize(
    ("code", "shown"),
    [("too_long", "too_long"), (None, NONE), ("file:ab12", OTHER), ("made_up_by_a_plugin", OTHER)],
)
def test_a_code_that_nobody_knows_is_other(code: str | None, shown: str) -> None:
    assert label(code) == shown


def test_time_is_laid_to_the_state_that_a_worker_is_seen_in() -> None:
    sink = Kept()
    meter = Meter(sink, {"transcribe": 0.5})

    meter.workers([("transcribe", "starting")], 100.0)
    meter.workers([("transcribe", "busy"), ("transcribe", "idle")], 102.0)
    meter.workers([("transcribe", "busy")], 105.0)
    meter.workers([], 109.0)

    assert meter.totals.worker_s == {
        ("transcribe", "starting"): 0.0, ("transcribe", "idle"): 2.0, ("transcribe", "busy"): 5.0,
    }  # fmt: skip
    assert meter.totals.gpu_s["transcribe"] == 3.5
    last = sink.of("medpipe_workers")[-3:]
    assert [number for number, _ in last] == [0, 0, 0]  # none is left, and that is said
    assert {labels["state"] for _, labels in last} == {"starting", "idle", "busy"}


def test_only_a_step_that_ended_well_counts_for_speed() -> None:
    sink = Kept()
    meter = Meter(sink)

    meter.step_ended("extract", "done", 4.0, 40.0)
    meter.step_ended("extract", "death", 99.0, 40.0)

    assert meter.totals.steps["extract"].results == {"done": 1, "death": 1}
    assert (meter.totals.steps["extract"].wall_s, meter.totals.steps["extract"].media_s) == (4, 40)
    assert sink.of("medpipe_step_seconds") == [(4.0, {"step": "extract"})]


def test_ends_are_told_by_state_step_and_reason() -> None:
    sink = Kept()
    meter = Meter(sink)

    meter.item_ended("done", "", None, 60.0, {"samples": 3})
    meter.item_ended("rejected", "acquire", "no_audio", 0.0, {})
    meter.retried("acquire", "https://example.org/video")

    assert sink.of("medpipe_items_total") == [
        (1, {"state": "done", "step": "none", "reason": "none"}),
        (1, {"state": "rejected", "step": "acquire", "reason": "no_audio"}),
    ]
    assert sink.of("medpipe_retries_total") == [(1, {"step": "acquire", "reason": "other"})]
    assert meter.totals.rows == {"samples": 3}


def test_the_queue_is_told_by_state_with_the_age_of_its_oldest() -> None:
    sink = Kept()

    Meter(sink).queue(QueueCounts(ready=5, delayed=2, leased=1, done=9), 120.0, 30.0)

    assert {labels["state"]: n for n, labels in sink.of("medpipe_items_open")} == {
        "ready": 5, "delayed": 2, "leased": 1,
    }  # fmt: skip
    ages = {labels["state"]: s for s, labels in sink.of("medpipe_items_oldest_age_seconds")}
    assert ages == {"ready": 120.0, "in_flight": 30.0}
