"""Ray's head dies under a job: it ends by itself, leaves nothing, and the next run finishes it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support import command
from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import short_lectures, tries_of
from tests.support.nodes import ENV, Nodes, NodesJob, free_port, ray_nodes, rows_without_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

RESUMABLE = 130

# So that a worker that waits at a fault is soon replaced.
SHORT_DEADLINES = ("scheduling.deadline_base_s=3", "scheduling.deadline_per_media_s=0.1")


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return short_lectures(tmp_path_factory.mktemp("lectures"), range(540, 544))


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as faults:
        yield faults


@contextmanager
def half_way(
    job: NodesJob, nodes: Nodes, faults: Faults, lectures: list[Path], on: str = "head"
) -> "Iterator[subprocess.Popen[str]]":
    """A run that has done one item and waits in the next."""
    nodes.start("node-0", cpus=3, gpus=1)
    faults.set({"point": "extract", "action": "hang", "skip": 1})
    run = job.start(nodes, lectures, on)
    try:
        wait_for(lambda: len(faults.passed("extract")) > 1 or run.poll() is not None, "work")
        wait_for(lambda: run.poll() is not None or job.done() == 1, "one item to be done")
        assert run.poll() is None, run.communicate()
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def end(run: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait until a run has ended by itself; returns its exit code and all that it said."""
    out, err = run.communicate(timeout=100)
    return run.returncode, out + err


@contextmanager
def without_control_service(nodes: Nodes) -> Iterator[None]:
    """The head's control service is away in the block, and is started again as it was."""
    head = nodes.nodes["head"]
    head.process.send_signal(signal.SIGSTOP)  # else `ray start` takes the rest of the head along
    before = head.part("gcs_server")
    arguments, env, folder = before.cmdline(), before.environ(), before.cwd()
    before.kill()
    yield
    service = subprocess.Popen(arguments, env=env, cwd=folder)
    nodes.extra.append(service)


@pytest.mark.parametrize(
    ("on", "reason"),
    [
        ("head", "the Ray node that this driver belongs to has gone"),
        pytest.param("node-0", "was not there for 5 s", marks=pytest.mark.soak),
    ],
)
def test_a_job_whose_head_dies_ends_resumable_and_a_new_head_sees_it_through(
    on: str, reason: str, lectures: list[Path], faults: Faults, tmp_path: Path
) -> None:
    job = NodesJob(tmp_path, faults, "runtime.head_lost_s=5")
    with ray_nodes(faults.env) as nodes, half_way(job, nodes, faults, lectures, on) as run:
        nodes.nodes["head"].kill_all()
        code, said = end(run)

        assert code == RESUMABLE, said
        assert reason in said
        assert "the same command resumes" in said
        wait_for(lambda: not nodes.workers(), "the end of all workers", 10)
        wait_for(lambda: not list(job.scratch.iterdir()), "an empty scratch", 10)
    faults.clear()

    with ray_nodes(faults.env) as nodes:
        nodes.start("node-0", cpus=3, gpus=1)
        code, said = end(job.start(nodes, lectures))

    assert code == 0, said
    assert {(t.deaths, t.bugs) for t in tries_of(job.queue, "done").values()} == {(0, 0)}
    assert rows_of(job.out) == rows_without_ray(tmp_path / "calm", lectures)
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)


@pytest.mark.soak
def test_a_driver_that_waits_for_an_answer_of_a_dead_head_ends_resumable_too(
    lectures: list[Path], faults: Faults, tmp_path: Path
) -> None:
    job = NodesJob(tmp_path, faults, "runtime.head_lost_s=8", *SHORT_DEADLINES)
    with (
        ray_nodes({**faults.env, "RAY_gcs_rpc_server_reconnect_timeout_s": "30"}) as nodes,
        half_way(job, nodes, faults, lectures, "node-0") as run,
    ):
        nodes.nodes["head"].kill_all()
        code, said = end(run)

        assert code == RESUMABLE, said
        assert "a call to Ray hangs" in said
        wait_for(lambda: not nodes.workers(), "the node to give up", 60)
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)


@pytest.mark.soak
def test_a_head_that_comes_back_without_memory_ends_the_job_resumable(
    lectures: list[Path], faults: Faults, tmp_path: Path
) -> None:
    job = NodesJob(tmp_path, faults, *SHORT_DEADLINES)
    with ray_nodes(faults.env) as nodes, half_way(job, nodes, faults, lectures) as run:
        with without_control_service(nodes):
            pass
        code, said = end(run)

    assert code == RESUMABLE, said
    assert "Ray's head starts no worker for this job any more" in said
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)


@pytest.mark.system
def test_a_head_that_comes_back_with_its_memory_in_redis_goes_on_with_the_job(
    lectures: list[Path], faults: Faults, tmp_path: Path
) -> None:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("apt-get install redis-server")
    port = free_port()
    job = NodesJob(tmp_path, faults)
    redis = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    try:
        with (
            ray_nodes({**faults.env, "RAY_REDIS_ADDRESS": f"127.0.0.1:{port}"}) as nodes,
            half_way(job, nodes, faults, lectures) as run,
        ):
            with without_control_service(nodes):
                faults.clear()
            code, said = end(run)
    finally:
        redis.kill()
        redis.wait()

    assert code == 0, said
    assert rows_of(job.out) == rows_without_ray(tmp_path / "calm", lectures)
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)


def test_a_killed_raylet_of_a_local_cluster_ends_the_job_resumable(
    lectures: list[Path], faults: Faults, tmp_path: Path
) -> None:
    faults.set({"point": "extract", "action": "hang"})
    run = command.start(
        ["run", *lectures, "--out", tmp_path / "out", "--recipe", "demo"], **ENV, **faults.env
    )
    wait_for(lambda: faults.passed("extract") or run.poll() is not None, "an item")
    family = psutil.Process(run.pid).children(recursive=True)
    next(process for process in family if process.name() == "raylet").kill()
    code, said = end(run)

    assert code == RESUMABLE, said
    assert "the Ray node that this driver belongs to has gone" in said
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
