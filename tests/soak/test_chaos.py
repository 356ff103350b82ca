"""Workers, nodes and drivers are killed from outside all the time; the rows are those of calm."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import pytest

from benchmarks.lectures import make_lecture, random_spec
from tests.support.datasets import rows_of
from tests.support.faults import wait_for
from tests.support.jobs import tries_of
from tests.support.lives import Life
from tests.support.nodes import ENV, Nodes, ray_nodes, rows_without_ray

FULL = os.environ.get("MEDPIPE_SOAK") == "full"

pytestmark = [pytest.mark.ray, *([pytest.mark.soak] if FULL else [])]


@dataclass(frozen=True)
class Size:
    """How much is done, and how often what is killed."""

    videos: int
    duration_s: float
    width_px: int
    worker_every_s: float
    other_every_s: float
    settings: tuple[str, ...]


SIZE = (
    Size(
        200, 30, 640, 20, 45,
        # The recipe has seconds of patience; these are the defaults.
        ("scheduling.retry.death_backoff_s=30", "scheduling.retry.backoff_max_s=3600"),
    )
    if FULL
    else Size(40, 10, 480, 3, 20, ())
)  # fmt: skip


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lectures")
    for seed in range(1000, 1000 + SIZE.videos):
        spec = random_spec(
            seed,
            width_px=SIZE.width_px,
            height_px=SIZE.width_px * 3 // 4,
            fps=12,
            duration_s=SIZE.duration_s,
        )
        make_lecture(spec, folder)
    return folder


@pytest.fixture(scope="module")
def calm(lectures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rows of the same videos when nothing is killed."""
    return rows_without_ray(tmp_path_factory.mktemp("calm"), [lectures])


class Chaos:
    """A job whose workers, nodes and drivers are killed at random until it ends."""

    def __init__(self, folder: Path, lectures: Path, nodes: Nodes) -> None:
        self.out, self.queue = folder / "out", folder / "queue.sqlite"
        self.scratch, self.log = folder / "scratch", folder / "drivers.log"
        self.scratch.mkdir()
        self.killed: Counter[str] = Counter()
        self.drivers: list[Life] = []
        self._lectures = lectures
        self._nodes = nodes
        self._random = random.Random(11)
        self._driver: subprocess.Popen[bytes] | None = None
        self._names = (f"node-{n}" for n in count(2))
        self._others = ("driver", "raylet")

    def run(self, gcs: Life) -> None:
        """Kill until a driver has come to its end."""
        began_s = time.monotonic()
        worker_at_s = began_s + SIZE.worker_every_s
        other_at_s = began_s + SIZE.other_every_s
        while True:
            driver = self._driver or self.start()
            self.drivers[-1].look()
            gcs.look()
            if driver.poll() is not None:
                assert driver.returncode == 0, self.said()
                return
            now_s = time.monotonic()
            if now_s >= worker_at_s:
                self.kill_worker()
                worker_at_s = now_s + SIZE.worker_every_s
            if now_s >= other_at_s:
                self.kill_other(driver)
                other_at_s = now_s + SIZE.other_every_s
            time.sleep(0.25)

    def kill_worker(self) -> None:
        """One that lives, whatever it does."""
        living = self._nodes.workers()
        if living:
            with suppress(psutil.Error):
                self._random.choice(living).kill()
                self.killed["worker"] += 1

    def kill_other(self, driver: "subprocess.Popen[bytes]") -> None:
        """The driver and a raylet by turns; another node joins in its place."""
        what, *after = self._others
        self._others = (*after, what)
        self.killed[what] += 1
        if what == "driver":
            driver.kill()
            driver.wait()
            self._driver = None
            return
        name = self._random.choice([name for name in self._nodes.nodes if name != "head"])
        self._nodes.begin(next(self._names), cpus=2)
        gone = self._nodes.nodes.pop(name)
        gone.kill()
        gone.end()

    def start(self) -> "subprocess.Popen[bytes]":
        settings = ("runtime.commit_s=2", f"runtime.scratch_dir={self.scratch}", *SIZE.settings)
        with self.log.open("ab") as log:
            self._driver = subprocess.Popen(
                [sys.executable, "-m", "medpipe", "run", str(self._lectures), "--recipe", "demo",
                 "--out", str(self.out), "--queue", str(self.queue),
                 *(part for setting in settings for part in ("--set", setting))],
                stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **ENV, "RAY_ADDRESS": self._nodes.address},
            )  # fmt: skip
        self.drivers.append(Life(psutil.Process(self._driver.pid)))
        return self._driver

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-5000:]

    def end(self) -> None:
        if self._driver is not None and self._driver.poll() is None:
            os.killpg(self._driver.pid, signal.SIGKILL)
            self._driver.wait()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ray_nodes({}) as nodes:
        nodes.start("node-0", cpus=2)
        nodes.start("node-1", cpus=2)
        yield nodes


@pytest.fixture
def chaos(tmp_path: Path, lectures: Path, nodes: Nodes) -> Iterator[Chaos]:
    chaos = Chaos(tmp_path, lectures, nodes)
    yield chaos
    chaos.end()


@pytest.mark.timeout(14_400)
def test_kills_from_outside_change_no_row_and_quarantine_no_innocent(
    calm: dict[str, list[str]], chaos: Chaos, nodes: Nodes
) -> None:
    gcs = Life(nodes.nodes["head"].part("gcs_server"))
    gcs.look()
    began_s = time.monotonic()

    chaos.run(gcs)

    tries = tries_of(chaos.queue, "done")
    deaths = Counter(t.deaths for t in tries.values())
    say(f"{SIZE.videos} videos in {time.monotonic() - began_s:.0f} s, killed {dict(chaos.killed)}")
    say(f"worker deaths under items: {dict(sorted(deaths.items()))}")
    for life in chaos.drivers:
        say(f"driver: {life.slopes(30)}")
    say(f"GCS: {gcs.slopes(30)}")
    assert not tries_of(chaos.queue, "dead")
    assert not tries_of(chaos.queue, "rejected")
    assert len(tries) == SIZE.videos
    assert rows_of(chaos.out) == calm
    wait_for(lambda: not nodes.workers(), "the end of all workers")
    assert named_actors(nodes) == "[]"
    wait_for(lambda: not list(chaos.scratch.iterdir()), "an empty scratch folder")
    assert gcs.growth(30)[1] < 100
    for life in chaos.drivers:
        assert len(life.samples) < 240 or life.growth(30)[1] < 50


def named_actors(nodes: Nodes) -> str:
    """Names of the actors that the cluster knows as living."""
    code = (
        "import ray, ray.util;"
        "ray.init(log_to_driver=False, logging_level='ERROR');"
        "print(ray.util.list_named_actors(all_namespaces=True))"
    )
    env = {**os.environ, **ENV, "RAY_ADDRESS": nodes.address}
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return asked.stdout.strip().splitlines()[-1]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
