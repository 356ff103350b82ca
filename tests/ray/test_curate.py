"""The main job on a real Ray cluster: what dies, what is fed to it, what it leaves behind."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.lectures import make_lecture, random_spec
from medpipe import Item, MedpipeConfig, load_config
from medpipe.cli.work import enqueue_sources
from medpipe.demo.judge import bundled_lectures
from medpipe.queues import SqliteQueue
from medpipe.runtime import Outcome, curate
from medpipe.runtime.driver import Driver
from tests.support.datasets import rows_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lectures")
    videos = []
    for seed in range(3):
        spec = random_spec(
            40 + seed, width_px=320, height_px=240, fps=12, duration_s=8, speech="none"
        )
        videos.append(make_lecture(spec, folder).video)
    return videos


@pytest.fixture
def config() -> MedpipeConfig:
    return load_config("demo", ["runtime.commit_s=1"])


class World:
    """A queue, an output and a config; runs the job on them."""

    def __init__(self, folder: Path, config: MedpipeConfig) -> None:
        self.out = folder / "out"
        self.queue = SqliteQueue(folder / "queue.sqlite")
        self.config = config

    def feed(self, videos: list[Path]) -> None:
        enqueue_sources([str(video) for video in videos], self.queue, self.config)

    def run(self, on_tick: Callable[[Driver], None] | None = None) -> Outcome:
        return curate(self.queue, str(self.out), self.config, on_tick=on_tick)


@pytest.fixture
def world(tmp_path: Path, config: MedpipeConfig) -> Iterator[World]:
    world = World(tmp_path, config)
    yield world
    world.queue.close()


@pytest.fixture(scope="module")
def calm(lectures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rows of an undisturbed run."""
    world = World(tmp_path_factory.mktemp("calm"), load_config("demo"))
    world.feed(lectures)
    assert world.run().tally.done == 3
    return rows_of(world.out)


def workers(*titles: str) -> list[psutil.Process]:
    """Living actors of this session's cluster by title: their class, or the step that they run."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if (process.cmdline() or [""])[0].startswith(
                tuple(f"ray::{title}" for title in titles)
            ):
                found.append(process)
    return found


@contextmanager
def hunting(most: int | None, *titles: str) -> Iterator[list[int]]:
    """Kill workers by title as soon as they show, however short they live; yields their pids."""
    killed: list[int] = []
    stop = threading.Event()

    def hunt() -> None:
        while not stop.wait(0.01):
            for process in workers(*titles):
                if most is None or len(killed) < most:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                        killed.append(process.pid)

    hunter = threading.Thread(target=hunt, daemon=True)
    hunter.start()
    try:
        yield killed
    finally:
        stop.set()
        hunter.join()


@pytest.mark.parametrize("kind", ["extract", "transcribe", "write"])
def test_a_killed_worker_costs_one_try_and_no_row(
    kind: str, world: World, lectures: list[Path], calm: dict[str, list[str]]
) -> None:
    world.feed(lectures)
    with hunting(1, kind, f"{kind.capitalize()}Worker") as killed:
        outcome = world.run()

    assert killed
    assert outcome.tally.done == 3
    assert outcome.tally.dead == 0
    assert rows_of(world.out) == calm


def test_an_item_that_kills_its_workers_becomes_a_dead_letter_and_nobody_else_suffers(
    world: World, lectures: list[Path]
) -> None:
    """Whatever listens to one item is killed, as a file that breaks its decoder would do."""
    world.feed([*bundled_lectures()[:1], *lectures[:2]])
    poison = world.queue.lease(1, lease_s=0.001)[0].item.id
    with hunting(None, f"transcribe[{poison}]"):
        outcome = world.run()

    assert outcome.tally.done == 2
    assert outcome.tally.dead == 1
    assert outcome.exit_code == 3
    assert world.queue.reasons() == {"worker_died": 1}


def test_a_running_job_picks_up_what_is_enqueued_beside_it(
    world: World, lectures: list[Path], tmp_path: Path
) -> None:
    fed = []

    def feed_more(driver: Driver) -> None:
        if driver.scheduler.items_in_flight and not fed:
            fed.append(True)
            other = SqliteQueue(tmp_path / "queue.sqlite")
            enqueue_sources([str(lectures[2])], other, world.config)
            other.close()

    world.feed(lectures[:2])
    outcome = world.run(feed_more)
    assert fed
    assert outcome.tally.done == 3


def test_two_drivers_on_one_queue_share_the_work_and_double_nothing(
    world: World, lectures: list[Path], calm: dict[str, list[str]], tmp_path: Path
) -> None:
    world.feed(lectures)
    done: list[int] = []

    def second() -> None:
        queue = SqliteQueue(tmp_path / "queue.sqlite")
        done.append(curate(queue, str(world.out), world.config).tally.done)
        queue.close()

    thread = threading.Thread(target=second)
    thread.start()
    done.append(world.run().tally.done)
    thread.join()

    assert sum(done) == 3
    assert rows_of(world.out) == calm


def test_a_changed_config_replaces_an_items_rows(world: World, lectures: list[Path]) -> None:
    world.feed(lectures[:1])
    world.run()
    first = rows_of(world.out)
    world.config = load_config("demo", ["image.quality=80"])
    world.queue.reopen([item_id_of(world)])

    assert world.run().tally.done == 1
    second = rows_of(world.out)

    assert {table: len(rows) for table, rows in first.items()} == {
        table: len(rows) for table, rows in second.items()
    }
    assert first != second


def test_a_model_that_does_not_exist_stops_the_job_with_advice(
    world: World, lectures: list[Path]
) -> None:
    from medpipe import ConfigError

    world.config = load_config("demo", ["transcribe.model=/no/such/model"])
    world.feed(lectures[:1])
    with pytest.raises(ConfigError, match="no/such/model"):
        world.run()


def test_an_item_of_a_kind_that_cannot_be_fetched_does_not_stop_the_others(
    world: World, lectures: list[Path]
) -> None:
    world.queue.enqueue([Item(id="pmc:PMC12345", uri="pmc:PMC12345")])
    world.feed(lectures[:1])
    outcome = world.run()
    assert outcome.tally.done == 1
    assert outcome.tally.rejected + outcome.tally.dead == 1


def item_id_of(world: World) -> str:
    from medpipe import Dataset, open_store

    (item_id,) = Dataset(open_store(str(world.out))).known()
    return item_id
