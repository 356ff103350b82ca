"""Nodes come and go, one killed and one drained, while a job works; idle ones are left empty."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe import load_config
from medpipe.cli.work import enqueue_sources
from medpipe.queues import SqliteQueue
from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import short_lectures, tries_of
from tests.support.nodes import NodesJob, at_work, ray_nodes, rows_without_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

SHORT = ("kill", "drain")
LONG = SHORT * 4


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as faults:
        yield faults


@pytest.fixture
def job(tmp_path: Path, faults: Faults) -> NodesJob:
    return NodesJob(
        tmp_path, faults, "runtime.extract_workers=2", "runtime.transcribe_workers=2",
        "scheduling.idle_worker_s=1",
    )  # fmt: skip


def enqueue_for_later(job: NodesJob, video: Path) -> None:
    """Enqueue a video so that it is not ready before somebody says so."""
    queue = SqliteQueue(job.queue)
    enqueue_sources([str(video)], queue, load_config("demo"))
    queue.close()
    job.sql("UPDATE items SET ready_at_s = 1e12")


@pytest.mark.parametrize("goings", [SHORT, pytest.param(LONG, marks=pytest.mark.soak)], ids=len)
def test_nodes_that_go_and_come_cost_no_item_and_no_try_and_idle_ones_are_left(
    goings: tuple[str, ...], job: NodesJob, tmp_path: Path, faults: Faults
) -> None:
    lectures = short_lectures(tmp_path / "lectures", range(500, 502 + 4 * len(goings)))
    enqueue_for_later(job, lectures[-1])
    early = len(lectures) - 1
    with ray_nodes(faults.env) as nodes:
        nodes.start("node-0", cpus=3, gpus=1)
        nodes.start("node-1", cpus=3, gpus=1)
        run = job.start(nodes, lectures[:-1])
        try:
            for number, going in enumerate(goings, start=2):
                node = at_work(nodes, faults, run, "extract" if going == "kill" else "transcribe")
                nodes.begin(f"node-{number}", cpus=3, gpus=1)
                node.kill() if going == "kill" else node.drain()
            faults.clear()
            wait_for(lambda: job.done() == early, "all items that are ready", within_s=240)
            wait_for(lambda: not nodes.workers(), "all pools to be empty", 30)
            assert run.poll() is None
            job.sql("UPDATE items SET ready_at_s = 0 WHERE state = 'ready'")
            out, err = run.communicate(timeout=240)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.communicate()
        assert run.returncode == 0, f"{out}\n{err}"
        wait_for(lambda: not nodes.workers(), "the end of all workers", 30)

    tries = tries_of(job.queue, "done").values()
    assert [(t.deaths, t.bugs, t.transients) for t in tries] == [(0, 0, 0)] * len(lectures)
    assert rows_of(job.out) == rows_without_ray(tmp_path / "calm", lectures)
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)
