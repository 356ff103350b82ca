"""Pools that nobody gave a number follow the nodes: a job may start where there is none."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray import _raylet
from ray.core.generated import autoscaler_pb2

from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import short_lectures
from tests.support.nodes import Nodes, NodesJob, ray_nodes, rows_without_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as faults:
        yield faults


def waiting(nodes: Nodes) -> int:
    """How many workers wait for a node with room."""
    client: Any = _raylet
    messages: Any = autoscaler_pb2
    reply = messages.GetClusterStatusReply()
    reply.ParseFromString(client.GcsClient(nodes.address).get_cluster_status(timeout_s=20))
    return sum(asked.count for asked in reply.cluster_resource_state.pending_resource_requests)


def test_pools_grow_with_the_nodes_that_join_and_shrink_with_those_that_go(
    faults: Faults, tmp_path: Path
) -> None:
    lectures = short_lectures(tmp_path / "lectures", range(580, 586))
    job = NodesJob(tmp_path, faults, "runtime.transcribe_gpus=0")
    with ray_nodes(faults.env) as nodes:
        run = job.start(nodes, lectures)
        try:
            wait_for(lambda: waiting(nodes) == 3 or run.poll() is not None, "a worker a pool")
            faults.set({"point": "extract", "action": "hang"})
            nodes.start("small", cpus=3)
            wait_for(lambda: len(faults.passed("extract")) == 1, "an item at work")
            assert waiting(nodes) == 0
            big = nodes.start("big", cpus=5)  # extract 4, transcribe 2, write 1
            wait_for(lambda: len(faults.passed("extract")) == 4, "items at work on both nodes")
            pids = Counter(big.holds(p.pid) for p in faults.passed("extract"))
            assert pids[True] >= 3
            big.kill()
            wait_for(lambda: len(list(big.workers())) == 0, "the workers of the node to go")
            wait_for(lambda: waiting(nodes) == 0, "no worker to wait for a node that is gone")
            faults.clear()
            out, err = run.communicate(timeout=240)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.communicate()

    assert run.returncode == 0, f"{out}\n{err}"
    assert "no node of the cluster can now take a worker of the pool write" in err
    assert rows_of(job.out) == rows_without_ray(tmp_path / "calm", lectures)
