"""Workers run on the nodes whose labels they ask for, and wait for one while there is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import short_lectures
from tests.support.nodes import NodesJob, ray_nodes, rows_without_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as faults:
        yield faults


def test_a_pool_waits_for_a_node_with_its_label_and_uses_no_other(
    faults: Faults, tmp_path: Path
) -> None:
    lectures = short_lectures(tmp_path / "lectures", range(560, 562))
    job = NodesJob(
        tmp_path,
        faults,
        "runtime.extract_labels={tier: '!spot'}",
        "runtime.transcribe_labels={ray.io/accelerator-type: 'in(L4, A100)'}",
        "runtime.transcribe_gpus=0.5",
    )
    with ray_nodes(faults.env) as nodes:
        plain = nodes.start("plain", cpus=3, gpus=1)
        faults.set(*({"point": p, "action": "hang", "times": 1} for p in ("extract", "transcribe")))
        run = job.start(nodes, lectures)
        wait_for(lambda: faults.passed("extract") or run.poll() is not None, "a watched item")
        assert faults.passed("transcribe") == []
        l4 = nodes.start("l4", cpus=3, gpus=1, labels="ray.io/accelerator-type=L4,tier=spot")
        wait_for(lambda: faults.passed("transcribe") or run.poll() is not None, "a heard item")
        pids = {p.point: p.pid for p in faults.passed()}
        assert plain.holds(pids["extract"])
        assert l4.holds(pids["transcribe"])
        faults.clear()
        out, err = run.communicate(timeout=240)

    assert run.returncode == 0, f"{out}\n{err}"
    assert "no node of the cluster can now take a worker of the pool transcribe" in err
    assert "labels ray.io/accelerator-type: in(L4, A100)" in err
    assert "of the pool extract" not in err
    assert rows_of(job.out) == rows_without_ray(tmp_path / "calm", lectures)
    wait_for(lambda: not job.left_behind(), "nothing to be left behind", 30)
