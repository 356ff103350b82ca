"""A run's own summary, also of one that is told to stop, and what its progress says first."""

import os
import signal
from pathlib import Path

import pytest

from medpipe import open_store
from medpipe.cli.show import _waiting_for
from medpipe.runtime import Limits
from medpipe.runtime.driver import Driver
from medpipe.runtime.summary import RunSummary, last_summary
from tests.support.jobs import JobWorld, short_lectures

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return short_lectures(tmp_path_factory.mktemp("lectures"), [81, 82, 83])


def summary_of(world: JobWorld) -> RunSummary:
    summary = last_summary(open_store(str(world.out)))
    assert summary is not None
    return summary


def test_a_run_that_is_told_to_stop_sums_up_what_it_did(
    tmp_path: Path, lectures: list[Path]
) -> None:
    world = JobWorld(tmp_path, "scheduling.items_in_flight=1")
    world.feed(lectures)

    def stop(driver: Driver) -> None:
        if driver.scheduler.items_in_flight and not told:
            told.append(True)
            os.kill(os.getpid(), signal.SIGTERM)

    told: list[bool] = []
    outcome = world.run(on_tick=stop)
    summary = summary_of(world)

    assert outcome.exit_code == 130
    assert outcome.summary == f"{summary.key}.md"
    assert (summary.ended, summary.left) == ("interrupted", outcome.left)
    assert summary.items["done"] == outcome.tally.done
    assert outcome.left + outcome.tally.done == 3
    assert summary.cost.usd is None


def test_each_run_leaves_a_summary_of_its_own(tmp_path: Path, lectures: list[Path]) -> None:
    world = JobWorld(tmp_path)
    world.feed(lectures[:2])
    first = world.run(limits=Limits(items=1))
    world.feed(lectures)
    second = world.run()
    store = open_store(str(world.out))

    assert {first.summary, second.summary} <= set(store.keys("_runs"))
    assert len(list(store.keys("_runs"))) == 4
    assert summary_of(world).items["done"] == second.tally.done
    assert summary_of(world).dataset["done"] == 3
    assert world.run().summary is None  # nothing was open


def test_the_first_line_of_progress_does_not_speak_of_tries(
    tmp_path: Path, lectures: list[Path]
) -> None:
    world = JobWorld(tmp_path)
    world.feed(lectures[:1])
    said: list[str] = []

    world.run(on_tick=lambda driver: said.append(_waiting_for(driver)))

    assert said[0] == "about to lease the next ones"
    assert not [line for line in said[:-1] if "next try" in line]
