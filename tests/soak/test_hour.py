"""One driver works through short videos for an hour: what it holds does not grow."""

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
import pytest

from medpipe import load_config
from medpipe.cli.work import enqueue_sources
from medpipe.queues import SqliteQueue
from tests.support.faults import wait_for
from tests.support.jobs import short_lectures, tries_of
from tests.support.lives import Life
from tests.support.nodes import ENV, Nodes, ray_nodes

FULL = os.environ.get("MEDPIPE_SOAK") == "full"
LASTS_S, WARM_S, LOOK_S = (3600.0, 600.0, 5.0) if FULL else (180.0, 60.0, 1.0)
WAITING = 40

# As medpipe's image sets it, only smaller: the head then keeps no more than while the job warms up.
# Other work on this machine must not make a node look dead.
HEAD_ENV = {
    "RAY_task_events_max_num_task_in_gcs": "2000",
    "RAY_task_events_max_dropped_task_attempts_tracked_per_job_in_gcs": "2000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_health_check_failure_threshold": "10",
}

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.timeout(LASTS_S + 1200)]


class Feeder:
    """Puts copies of a few videos into a queue; each is another file by a few bytes at its end.

    Args:
        folder: For the copies and the queue.
        videos: To copy.
    """

    def __init__(self, folder: Path, videos: list[Path]) -> None:
        self.queue = SqliteQueue(folder / "queue.sqlite")
        self.path = folder / "queue.sqlite"
        self._folder = folder / "videos"
        self._folder.mkdir()
        self._videos = videos
        self._numbers = count()
        self._config = load_config("demo")
        self._made: list[Path] = []

    def feed(self) -> None:
        """Keep some waiting; remove copies that were fetched long ago."""
        lacking = WAITING - self.queue.counts().open
        if lacking > 0:
            fresh = [self._copy(next(self._numbers)) for _ in range(lacking)]
            enqueue_sources([str(path) for path in fresh], self.queue, self._config)
            self._made += fresh
        for old in self._made[: -4 * WAITING]:
            old.unlink()
        self._made = self._made[-4 * WAITING :]

    def hold_back(self) -> None:
        """Let one item wait for good, so that the job does not end when it is done too soon."""
        path = self._copy(next(self._numbers))
        (held,) = enqueue_sources([str(path)], self.queue, self._config).ids
        self._set_ready(f"1e12 WHERE id = '{held}'")

    def end(self) -> None:
        """Let the job come to its end."""
        self._set_ready("0 WHERE ready_at_s = 1e12")

    def _set_ready(self, which: str) -> None:
        with sqlite3.connect(self.path, timeout=60) as db:
            db.execute(f"UPDATE items SET ready_at_s = {which}")
        db.close()

    def _copy(self, number: int) -> Path:
        path = self._folder / f"{number}.mp4"
        shutil.copyfile(self._videos[number % len(self._videos)], path)
        with path.open("ab") as file:  # a box that players pass over
            file.write(struct.pack(">I4sQ", 16, b"free", number))
        return path


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ray_nodes(HEAD_ENV) as nodes:
        nodes.start("node-0", cpus=4)
        yield nodes


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    feeder = Feeder(tmp_path, short_lectures(tmp_path / "lectures", range(700, 704), 15))
    yield feeder
    feeder.queue.close()


@pytest.fixture
def driver(tmp_path: Path, nodes: Nodes, feeder: Feeder) -> Iterator["subprocess.Popen[bytes]"]:
    feeder.feed()
    feeder.hold_back()
    (tmp_path / "scratch").mkdir()
    settings = ("runtime.commit_s=2", f"runtime.scratch_dir={tmp_path / 'scratch'}")
    with (tmp_path / "driver.log").open("wb") as log:
        driver = subprocess.Popen(
            [sys.executable, "-m", "medpipe", "run", str(tmp_path / "videos" / "0.mp4"),
             "--recipe", "demo", "--out", str(tmp_path / "out"), "--queue", str(feeder.path),
             *(part for setting in settings for part in ("--set", setting))],
            stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **ENV, "RAY_ADDRESS": nodes.address},
        )  # fmt: skip
    yield driver
    if driver.poll() is None:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def test_an_hour_of_work_leaves_driver_and_head_as_they_were(
    driver: "subprocess.Popen[bytes]", feeder: Feeder, nodes: Nodes, tmp_path: Path
) -> None:
    lives = {
        "driver": Life(psutil.Process(driver.pid)),
        "GCS": Life(nodes.nodes["head"].part("gcs_server")),
        "raylet": Life(nodes.nodes["node-0"].part("raylet")),
    }
    most_folders = most_workers = 0
    end_s = time.monotonic() + LASTS_S
    while time.monotonic() < end_s:
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()[-5000:]
        feeder.feed()
        for life in lives.values():
            life.look()
        with suppress(FileNotFoundError):
            folders = (tmp_path / "scratch").glob("*/*")
            most_folders = max(most_folders, sum(1 for _ in folders))
        most_workers = max(most_workers, len(nodes.workers()))
        time.sleep(LOOK_S)

    feeder.end()
    assert driver.wait(600) == 0, (tmp_path / "driver.log").read_text()[-5000:]
    done = len(tries_of(feeder.path, "done"))
    say(f"{done} videos in {LASTS_S:.0f} s; at most {most_workers} workers, {most_folders} folders")
    for name, life in lives.items():
        grown_mib, grown_handles = life.growth(WARM_S)
        say(f"{name}: {life.slopes(WARM_S)}; last third over first: {grown_mib:+.1f} MiB")
        assert grown_handles < 20, name
        assert grown_mib < 40, name
    counts = feeder.queue.counts()
    assert (counts.done, counts.open, counts.dead, counts.rejected) == (done, 0, 0, 0)
    assert most_folders <= 8
    wait_for(lambda: not nodes.workers(), "the end of all workers")
    wait_for(lambda: not list((tmp_path / "scratch").iterdir()), "an empty scratch folder")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
