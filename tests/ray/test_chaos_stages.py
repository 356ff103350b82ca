"""One item is poison in one stage: it alone becomes a dead letter, whatever the poison does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import JobWorld, actors, short_lectures

pytestmark = [
    pytest.mark.ray,
    pytest.mark.usefixtures("ray_cluster"),
    pytest.mark.timeout(600),
]

STAGES = ("acquire", "extract", "sound", "transcribe", "write")
POISONS = ("raise", "exit", "sigkill", "sigsegv", "eat_memory", "hang", "garbage")

# What the dead letter says of each poison.
REASONS = {
    "raise": "bug",
    "exit": "bug",
    "sigkill": "worker_died",
    "sigsegv": "worker_died",
    "eat_memory": "memory_limit",
    "hang": "deadline_exceeded",
    "garbage": "bug",
}
EVIDENCE = {
    "raise": "a fault that a test asked for",
    "exit": "the step called sys.exit",
    "eat_memory": "its limit is 640 MiB",
    "hang": "past its deadline",
    "garbage": "the step gave str",
}

# Sound is served by the worker that holds the file to the one that listens.
SEEN_AT = {"sound": ("extract:", "transcribe:")}

SETTINGS = (
    "runtime.worker_memory_bytes=671088640",
    "scheduling.deadline_base_s=8",
    "scheduling.fetch_deadline_s=8",
    "scheduling.deadline_per_media_s=0.5",
    "scheduling.retry.backoff_s=0.5",
    "scheduling.retry.death_backoff_s=0.5",
)


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return short_lectures(tmp_path_factory.mktemp("lectures"), range(100, 108))


@pytest.fixture(scope="module")
def innocents(lectures: list[Path]) -> list[Path]:
    return lectures[:3]


@pytest.fixture(scope="module")
def calm(innocents: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The innocents' rows of an undisturbed run."""
    world = JobWorld(tmp_path_factory.mktemp("calm"))
    world.feed(innocents)
    assert world.run().tally.done == 3
    world.queue.close()
    return rows_of(world.out)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[JobWorld]:
    world = JobWorld(tmp_path, *SETTINGS)
    yield world
    world.queue.close()


@pytest.fixture
def faults() -> Iterator[Faults]:
    with faults_at(Faults.of_session().path) as faults:
        yield faults


def poison(item_id: str, stage: str, action: str) -> dict[str, str]:
    point = f"{stage}.gives" if action == "garbage" else stage
    return {"point": point, "item": item_id, "action": action}


def run_poisoned(
    world: JobWorld,
    faults: Faults,
    innocents: list[Path],
    victims: list[Path],
    poisons: list[tuple[str, str]],
) -> None:
    """Run a job with a poison for each victim and check what became of everybody."""
    ids = world.feed(victims)
    world.feed(innocents)
    faults.set(*(poison(i, *p) for i, p in zip(ids, poisons, strict=True)))

    outcome = world.run()

    assert outcome.tally.done == 3
    assert outcome.tally.rejected + outcome.tally.dead == len(poisons)
    ends = world.tries("dead") | world.tries("rejected")
    assert set(ends) == set(ids)
    for item_id, (stage, action) in zip(ids, poisons, strict=True):
        # Nothing tells a hanging fetch from a hanging server: that one is the world's.
        worlds = (stage, action) == ("acquire", "hang")
        end = ends[item_id]
        assert (item_id in world.tries("rejected")) == worlds
        assert end.last_code == ("timed_out" if worlds else REASONS[action]), (stage, action, end)
        assert end.last_detail
        assert any(place in end.last_detail for place in SEEN_AT.get(stage, (stage,))), end
        assert EVIDENCE.get(action, "") in end.last_detail
    all_worlds = all(p == ("acquire", "hang") for p in poisons)
    assert outcome.exit_code == (0 if all_worlds else 3)


def check_nothing_is_left(world: JobWorld) -> None:
    wait_for(lambda: not actors(), f"the end of {actors()}", within_s=30)
    wait_for(lambda: not world.left_on_disk(), f"no {world.left_on_disk()}", within_s=30)


def innocent_rows(world: JobWorld, calm: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows of all items but those that were rejected."""
    rejected = set(world.tries("rejected"))
    rows = rows_of(world.out)
    return {
        table: [row for row in rows[table] if not any(i in row for i in rejected)] for table in rows
    }


# Each stage and each poison is here; the full product is a soak.
MIXES = {
    "no worker dies": [
        ("acquire", "raise"), ("extract", "garbage"), ("sound", "raise"), ("transcribe", "exit"),
        ("write", "garbage"),
    ],
    "workers die": [
        ("acquire", "sigkill"), ("extract", "sigsegv"), ("sound", "sigkill"),
        ("transcribe", "sigsegv"), ("write", "sigkill"),
    ],
    "workers do not end": [
        ("acquire", "eat_memory"), ("extract", "hang"), ("transcribe", "eat_memory"),
        ("write", "hang"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("mix", list(MIXES))
def test_several_poisons_in_one_job_cost_themselves_only(
    mix: str,
    world: JobWorld,
    faults: Faults,
    lectures: list[Path],
    innocents: list[Path],
    calm: dict[str, list[str]],
) -> None:
    run_poisoned(world, faults, innocents, lectures[3 : 3 + len(MIXES[mix])], MIXES[mix])

    assert innocent_rows(world, calm) == calm
    check_nothing_is_left(world)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("stage", "action"),
    [(s, p) for s in STAGES for p in POISONS if (s, p) != ("sound", "garbage")],
)
def test_a_poison_costs_itself_only(
    stage: str,
    action: str,
    world: JobWorld,
    faults: Faults,
    lectures: list[Path],
    innocents: list[Path],
    calm: dict[str, list[str]],
) -> None:
    run_poisoned(world, faults, innocents, lectures[3:4], [(stage, action)])

    assert innocent_rows(world, calm) == calm
    check_nothing_is_left(world)
