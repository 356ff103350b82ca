"""Clips in the main job: cut where the file is, asked for by who writes the rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe import Dataset, open_store
from medpipe.demo.judge import bundled_lectures
from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at
from tests.support.jobs import JobWorld

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

LECTURE = next(path for path in bundled_lectures() if path.stem == "histology")


@pytest.fixture
def faults() -> Iterator[Faults]:
    with faults_at(Faults.of_session().path) as faults:
        yield faults


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of an undisturbed run."""
    world = JobWorld(tmp_path_factory.mktemp("calm"), "clips.enabled=true")
    world.feed([LECTURE])
    assert world.run().tally.done == 1
    world.queue.close()
    return world.out


def test_every_clip_of_a_row_is_in_the_store(calm: Path) -> None:
    store = open_store(str(calm))

    rows = Dataset(store).rows("clips").to_pylist()

    assert rows
    assert {row["key"] for row in rows} == set(store.keys("_clips"))


@pytest.mark.parametrize("action", ["sigkill", "enospc"])
def test_a_cut_that_dies_or_finds_no_room_is_made_again(
    action: str, tmp_path: Path, faults: Faults, calm: Path
) -> None:
    world = JobWorld(tmp_path, "clips.enabled=true", "scheduling.retry.backoff_s=0.5")
    world.feed([LECTURE])
    faults.set({"point": "clips", "action": action, "times": 1})

    outcome = world.run()
    world.queue.close()

    assert len(faults.passed("clips")) == 2  # the second one went well
    assert (outcome.tally.done, outcome.tally.dead) == (1, 0)
    assert rows_of(world.out) == rows_of(calm)
