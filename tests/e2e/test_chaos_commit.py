"""Kill, stop and double drivers at every step of the commit: each row is in once."""

import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from medpipe.runtime.driver import Driver
from tests.support import command
from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import JobWorld, actors, short_lectures

pytestmark = [
    pytest.mark.ray,
    pytest.mark.usefixtures("ray_cluster"),
    pytest.mark.timeout(600),
]

# Two drivers at a time must fit into the session's cluster.
SETTINGS = [
    f"runtime.{kind}_cpus=0.4" for kind in ("extract", "transcribe", "write")
] + ["runtime.commit_items=2", "runtime.commit_s=1", "runtime.extract_workers=1"]  # fmt: skip
AGAIN = "image.quality=80"


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three lectures, and one file that is none."""
    folder = tmp_path_factory.mktemp("lectures")
    short_lectures(folder, range(300, 303))
    (folder / "noise.mp4").write_bytes(random.Random(1).randbytes(50_000))
    return folder


@pytest.fixture(scope="module")
def calm(lectures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rows of an undisturbed run."""
    return undisturbed(lectures, tmp_path_factory.mktemp("calm"))


def undisturbed(lectures: Path, folder: Path, *settings: str) -> dict[str, list[str]]:
    world = JobWorld(folder, *settings)
    world.feed([lectures])
    outcome = world.run()
    world.queue.close()
    assert (outcome.tally.done, outcome.tally.rejected) == (3, 1)
    return rows_of(world.out)


@pytest.fixture
def faults() -> Iterator[Faults]:
    with faults_at(Faults.of_session().path) as faults:
        yield faults


class Drivers:
    """Processes of `medpipe run` on the session's cluster, over one queue and one dataset."""

    def __init__(self, folder: Path, lectures: Path) -> None:
        self.out = folder / "out"
        self.queue = folder / "queue.sqlite"
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self._lectures = lectures
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *settings: str) -> "subprocess.Popen[str]":
        """Start a driver."""
        chosen = [*SETTINGS, f"runtime.scratch_dir={self.scratch}", *settings]
        process = command.start(
            ["run", self._lectures, "--out", self.out, "--queue", self.queue, "--recipe", "demo",
             "--json", *(part for setting in chosen for part in ("--set", setting))],
            RAY_ADDRESS=ray.get_runtime_context().gcs_address,
            PYTHONFAULTHANDLER="1",
        )  # fmt: skip
        self._started.append(process)
        return process

    def killed_at(
        self, faults: Faults, point: str, item: str, *settings: str, must: bool = True
    ) -> bool:
        """Start a driver and kill it at a point; one in a worker is held there meanwhile.

        Returns:
            Whether it came to the point; if it need not, it may also end well before.
        """
        in_worker = point.startswith("write")
        action = "hang" if in_worker else "sigkill"
        faults.set({"point": point, "item": item, "action": action, "times": 1})
        driver = self.start(*settings)
        if in_worker:
            wait_for(lambda: faults.passed(point) or driver.poll() is not None, point)
            driver.kill()
        _, err = driver.communicate(timeout=180)
        passed = bool(faults.passed(point))
        faults.clear()
        if passed or must:
            assert (passed, driver.returncode) == (True, -signal.SIGKILL), err
        else:
            assert driver.returncode == 0, err
        return passed

    def finish(self) -> None:
        """Do in this process what a last driver would."""
        world = JobWorld(self.out.parent, *SETTINGS)
        world.feed([self._lectures])
        assert world.run().exit_code == 0
        world.queue.close()

    def end_all(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


@pytest.fixture
def drivers(tmp_path: Path, lectures: Path) -> Iterator[Drivers]:
    drivers = Drivers(tmp_path, lectures)
    yield drivers
    drivers.end_all()


def ended(process: "subprocess.Popen[str]") -> str:
    """What a driver said that ended well."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, f"{out}\n{err}"
    return err


def assert_all_is_in(drivers: Drivers, rows: dict[str, list[str]]) -> None:
    assert rows_of(drivers.out) == rows
    with sqlite3.connect(drivers.queue) as db:
        states = dict(db.execute("SELECT state, COUNT(*) FROM items GROUP BY state"))
    db.close()
    assert states == {"done": 3, "rejected": 1}
    wait_for(lambda: not actors(), "the end of all workers", within_s=30)
    wait_for(lambda: not list(drivers.scratch.iterdir()), "an empty scratch", within_s=30)


TABLES = ("samples", "transcripts", "clips", "rejects", "items")
STEPS = [
    ("write.files", ""),
    ("write.manifest", ""),
    ("write.decided", ""),
    *(
        (f"commit.{when}", table)
        for table in TABLES
        for when in ("before", "written", "after")
        if when != "written" or table not in ("clips", "rejects")  # these lectures give no such row
    ),
    ("commit.cleared", ""),
    ("ack.before", ""),
    ("ack.after", ""),
]
# One of each room; the chain below passes them all.
SHORT = [
    ("write.decided", ""),
    ("commit.after", "samples"),
    ("commit.cleared", ""),
    ("ack.after", ""),
]


@pytest.mark.parametrize(
    ("point", "item"),
    [pytest.param(*step, marks=() if step in SHORT else pytest.mark.soak) for step in STEPS],
    ids=lambda part: part or "any",
)
def test_a_driver_that_is_killed_at_any_step_of_a_commit_costs_no_row(
    point: str,
    item: str,
    drivers: Drivers,
    faults: Faults,
    calm: dict[str, list[str]],
) -> None:
    drivers.killed_at(faults, point, item)

    drivers.finish()

    assert_all_is_in(drivers, calm)


def test_drivers_that_are_killed_each_a_step_further_on_make_way_for_the_last(
    drivers: Drivers, faults: Faults, calm: dict[str, list[str]]
) -> None:
    # Sooner or later all is in, and no driver commits any more.
    killed = [drivers.killed_at(faults, *step, must=False) for step in STEPS]

    assert sum(killed) > len(STEPS) / 2
    ended(drivers.start())

    assert_all_is_in(drivers, calm)


def test_drivers_that_are_killed_while_they_replace_rows_leave_no_old_one(
    drivers: Drivers, faults: Faults, lectures: Path, calm: dict[str, list[str]], tmp_path: Path
) -> None:
    """Old rows go and new ones come in one commit; a table after the other."""
    changed = undisturbed(lectures, tmp_path / "changed", AGAIN)
    assert changed != calm
    drivers.finish()

    for table in ("samples", "items"):
        drivers.killed_at(faults, "commit.written", table, AGAIN)
    ended(drivers.start(AGAIN))

    assert_all_is_in(drivers, changed)


def test_a_second_driver_ends_the_work_of_one_that_is_killed_beside_it(
    drivers: Drivers, faults: Faults, calm: dict[str, list[str]]
) -> None:
    faults.set({"point": "commit.after", "item": "samples", "action": "sigkill", "times": 1})
    both = [drivers.start(), drivers.start()]

    said = [driver.communicate(timeout=240)[1] for driver in both]

    assert sorted(driver.returncode for driver in both) == [-signal.SIGKILL, 0], said
    assert_all_is_in(drivers, calm)


@pytest.mark.parametrize("late", [False, True], ids=["worker wins", "worker comes late"])
def test_a_worker_that_still_writes_under_an_expired_lease_doubles_nothing(
    late: bool, drivers: Drivers, faults: Faults, calm: dict[str, list[str]]
) -> None:
    """The first driver is stopped, its worker is not; the second one takes all leases over."""
    faults.set({"point": "write.manifest", "action": "hang", "times": 1})
    first = drivers.start("runtime.lease_s=2")
    wait_for(lambda: faults.passed() or first.poll() is not None, "the first to write")
    os.kill(first.pid, signal.SIGSTOP)
    if not late:
        faults.clear()

    second = drivers.start("runtime.lease_s=60")
    ended(second)
    assert rows_of(drivers.out) == calm
    faults.clear()
    os.kill(first.pid, signal.SIGCONT)

    assert "Traceback" not in ended(first)
    assert_all_is_in(drivers, calm)


def test_items_that_are_delivered_again_are_known_before_any_work(
    tmp_path: Path, lectures: Path, calm: dict[str, list[str]]
) -> None:
    world = JobWorld(tmp_path)
    world.feed([lectures])
    world.run()
    sql(world, "UPDATE items SET state = 'ready', tries = '{}'")

    outcome = world.run()
    world.queue.close()

    assert outcome.tally.already_in == 4
    assert outcome.nothing_new
    assert rows_of(world.out) == calm


def test_items_that_are_delivered_again_while_they_are_worked_on_come_in_once(
    tmp_path: Path, lectures: Path, calm: dict[str, list[str]]
) -> None:
    """Their leases run out under the driver, which itself leases them again."""
    again: list[int] = []

    def expire(driver: Driver) -> None:
        if driver.scheduler.items_in_flight >= 3 and len(again) < 2:
            again.append(sql(world, "UPDATE items SET until_s = 1 WHERE state = 'leased'"))

    world = JobWorld(tmp_path, "runtime.lease_s=3", "scheduling.items_in_flight=8")
    world.feed([lectures])

    world.run(on_tick=expire)
    world.queue.close()

    assert again
    assert rows_of(world.out) == calm
    assert not world.tries("dead")


def test_a_full_disk_is_waited_for(
    tmp_path: Path, lectures: Path, faults: Faults, calm: dict[str, list[str]]
) -> None:
    faults.set({"point": "extract", "action": "enospc", "times": 3})
    world = JobWorld(tmp_path, "scheduling.retry.transient_tries=9")
    world.feed([lectures])

    outcome = world.run()
    world.queue.close()

    assert outcome.exit_code == 0
    assert outcome.tally.retried == 3
    assert rows_of(world.out) == calm


def test_a_disk_that_stays_full_rejects_its_items_with_that_reason(
    tmp_path: Path, lectures: Path, faults: Faults
) -> None:
    faults.set({"point": "extract", "action": "enospc"})
    world = JobWorld(tmp_path, "scheduling.retry.backoff_s=0.2")
    world.feed([lectures])

    outcome = world.run()

    assert (outcome.exit_code, outcome.tally.rejected) == (0, 4)
    assert world.queue.reasons()["disk_full"] == 3
    world.queue.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few kilobytes, where this machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "medpipe-test", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_really_full_is_waited_for_until_there_is_room(
    tmp_path: Path, tiny_disk: Path, lectures: Path, calm: dict[str, list[str]]
) -> None:
    made_room: list[bool] = []

    def make_room(driver: Driver) -> None:
        if driver.flights.tally.retried and not made_room:
            made_room.append(True)
            subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)

    world = JobWorld(
        tmp_path, f"runtime.scratch_dir={tiny_disk}", "scheduling.retry.transient_tries=9"
    )
    world.feed([lectures])

    outcome = world.run(on_tick=make_room)
    world.queue.close()

    assert made_room
    assert outcome.exit_code == 0
    assert rows_of(world.out) == calm


def sql(world: JobWorld, statement: str) -> int:
    """Do something to a queue behind its back; returns how many rows it met."""
    with sqlite3.connect(world.queue_path, timeout=60) as db:
        changed = db.execute(statement).rowcount
    db.close()
    return changed
