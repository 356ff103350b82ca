"""Spans of one attempt from several processes, seen by a real collector."""

import subprocess
import sys
from pathlib import Path

import pytest

from medpipe.errors import Rejected, Transient
from medpipe.runtime.reporting import Reporter
from medpipe.runtime.tracing import NO_SPANS, open_spans
from medpipe.telemetry import TracingConfig, Trip
from tests.support.faults import wait_for
from tests.support.watching import collector

TRIP = Trip("run-1", "yt:abc", 3)


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys; from medpipe.runtime.tracing import open_spans;"
        " from medpipe.telemetry import TracingConfig; open_spans(TracingConfig()).close();"
        " assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

    assert open_spans(TracingConfig()) is NO_SPANS


def test_ids_follow_from_run_item_and_attempt_alone() -> None:
    same = Trip("run-1", "yt:abc", 3)
    others = [Trip("run-2", "yt:abc", 3), Trip("run-1", "yt:abd", 3), Trip("run-1", "yt:abc", 4)]

    assert (same.trace_id, same.root_id) == (TRIP.trace_id, TRIP.root_id)
    assert 0 < TRIP.trace_id < 2**128
    assert 0 < TRIP.root_id < 2**64
    assert len({trip.trace_id for trip in (TRIP, *others)}) == 4


def test_steps_hang_under_their_attempt(tmp_path: Path) -> None:
    with collector(tmp_path) as seen:
        one, other = (open_spans(TracingConfig(endpoint=seen.url)) for _ in range(2))
        one.step(TRIP, "acquire", 10.0, 12.5, {"worker": "extract-0", "media_s": 60.0})
        other.attempt(TRIP, 9.0, 20.0, {"state": "dead"}, "bug: it broke")
        one.close()
        other.close()
        spans = {s["name"]: s for s in wait_for(
            lambda: len(seen.spans()) == 2 and seen.spans(), "both spans", 20)}  # fmt: skip

    assert spans["item"]["span"] == spans["acquire"]["parent"]
    assert spans["item"]["parent"] == ""
    assert spans["item"]["trace"] == spans["acquire"]["trace"]
    assert (spans["item"]["failed"], spans["acquire"]["failed"]) == (True, False)
    assert (spans["acquire"]["start_s"], spans["acquire"]["end_s"]) == (10.0, 12.5)
    assert spans["acquire"]["medpipe.media_s"] == 60.0
    assert spans["acquire"]["medpipe.attempt"] == 3


@pytest.mark.parametrize(
    ("error", "result", "reason"),
    [(Rejected("no_audio", "silent"), "rejected", "no_audio"),
     (Transient("timed_out", "slow"), "transient", "timed_out"),
     (KeyError("x"), "bug", "bug")],
    ids=["rejected", "transient", "bug"],
)  # fmt: skip
def test_a_step_that_fails_says_so_and_lets_its_error_pass(
    tmp_path: Path, error: Exception, result: str, reason: str
) -> None:
    with collector(tmp_path) as seen:
        reporter = Reporter("write-0", "node", open_spans(TracingConfig(endpoint=seen.url)))
        with pytest.raises(type(error)), reporter.step(TRIP, "write"):
            raise error
        reporter.close()
        (span,) = wait_for(seen.spans, "the span", 20)

    assert span["failed"]
    assert (span["medpipe.result"], span["medpipe.reason"]) == (result, reason)


def test_a_collector_that_is_away_costs_no_step(tmp_path: Path) -> None:
    with collector(tmp_path) as seen:
        url = seen.url
    reporter = Reporter("write-0", "node", open_spans(TracingConfig(endpoint=url)))

    with reporter.step(TRIP, "write") as told:
        told["media_s"] = 1.0
    reporter.close()

    assert told["result"] == "done"
