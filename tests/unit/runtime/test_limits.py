"""When a run stops before its queue is empty, and what an item costs."""

import pytest

from medpipe import load_config
from medpipe.runtime import Limits, Outcome
from medpipe.runtime.flights import Tally
from medpipe.telemetry import Timings


@pytest.mark.parametrize(
    ("limits", "tally", "said"),
    [
        (Limits(), Tally(done=9), None),
        (Limits(items=3), Tally(done=1, rejected=1), None),
        (Limits(items=3), Tally(done=1, rejected=1, dead=1), "--limit 3"),
        (Limits(until_s=101), Tally(), None),
        (Limits(until_s=100), Tally(), "--until"),
        (Limits(cost_usd=0.5), Tally(cost_usd=0.4), None),
        (Limits(cost_usd=0.5), Tally(cost_usd=0.5), "--max-cost 0.5"),
    ],
)
def test_a_limit_is_reached_when_it_is(limits: Limits, tally: Tally, said: str | None) -> None:
    assert limits.reached(tally, 0, now_s=100) == said


def test_cpu_is_paid_by_cpu_seconds_and_a_gpu_by_the_wall() -> None:
    timings = Timings(
        cpu_s={"extract": 3600, "transcribe": 1800}, wall_s={"extract": 9, "transcribe": 7200}
    )
    free = load_config()
    cpu = load_config(None, ["prices.cpu_hour_usd=0.1"])
    both = load_config(None, ["prices.cpu_hour_usd=0.1", "prices.gpu_hour_usd=1"])

    assert free.prices.cost_usd(timings) is None
    assert cpu.prices.cost_usd(timings) == pytest.approx(0.15)
    assert both.prices.cost_usd(timings) == pytest.approx(2.15)


def test_a_run_that_a_limit_stopped_is_no_failure() -> None:
    assert Outcome(Tally(done=1), limit="--limit 1", left=3).exit_code == 0
    assert Outcome(Tally(done=1), interrupted=True, left=3).exit_code == 130
    assert Outcome(Tally(done=1, dead=1), limit="--limit 1").exit_code == 3
