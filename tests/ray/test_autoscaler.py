"""The real job under Ray's real autoscaler: from no nodes to some and back to none."""

from pathlib import Path

import pytest

from benchmarks.autoscaler import lectures, scale
from tests.support.datasets import rows_of
from tests.support.nodes import rows_without_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_a_job_brings_nodes_up_works_on_them_and_leaves_none(tmp_path: Path) -> None:
    sources = lectures(tmp_path, items=5)

    scaled = scale(sources, tmp_path)

    first, last = scaled.moments[0], scaled.moments[-1]
    assert scaled.exit_code == 0, scaled.said
    assert (first.nodes, last.nodes) == ({}, {})
    assert scaled.peak >= 2
    assert {kind for moment in scaled.moments for kind in moment.nodes} == {"cpu", "gpu"}
    assert (last.done, last.waiting, last.running) == (5, 0, False)
    assert rows_of(tmp_path / "out") == rows_without_ray(tmp_path / "calm", sources)
