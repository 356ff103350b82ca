"""How many workers each pool may have, as nodes come and go and an autoscaler says yes or no."""

import logging
from dataclasses import replace

import pytest
import ray

from medpipe import load_config
from medpipe.errors import ConfigError
from medpipe.runtime.nodes import Cluster, Node, Wish
from medpipe.runtime.sizing import Sizing

HEAD = Node({"CPU": 0.0}, {})
BIG = Node({"CPU": 32.0}, {})
FIXED, SCALED = Cluster((HEAD,)), Cluster((HEAD,), scales=True)
ANY_CPU = Wish(1, 0, {})


class Looks:
    """A cluster that is another one at each look."""

    def __init__(self, cluster: Cluster, *settings: str) -> None:
        self.now: Cluster | Exception = cluster
        self.sizing = Sizing(load_config("demo", settings), self.look, every_s=0)

    def look(self) -> Cluster:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def at(self, cluster: Cluster | Exception) -> dict[str, int] | None:
        self.now = cluster
        order = self.sizing.changed()
        return None if order is None else dict(order.pools)


def test_pools_follow_the_nodes_of_a_cluster_that_nobody_scales() -> None:
    looks = Looks(FIXED)

    assert looks.sizing.order.pools == {"extract": 1, "transcribe": 1, "write": 1}
    assert looks.at(Cluster((HEAD, BIG))) == {"extract": 16, "transcribe": 10, "write": 4}
    assert looks.at(Cluster((HEAD, BIG))) is None
    assert not looks.sizing.order.one_first
    assert looks.at(FIXED) == {"extract": 1, "transcribe": 1, "write": 1}


def test_where_an_autoscaler_is_at_work_pools_ask_for_more_than_there_is() -> None:
    looks = Looks(SCALED)

    assert looks.sizing.order.pools == {"extract": 2, "transcribe": 2, "write": 2}
    assert looks.sizing.order.one_first
    assert looks.at(replace(SCALED, nodes=(HEAD, BIG))) == {
        "extract": 32, "transcribe": 20, "write": 8,
    }  # fmt: skip


def test_an_autoscaler_that_has_refused_is_asked_for_no_more_until_nodes_change() -> None:
    looks = Looks(replace(SCALED, nodes=(HEAD, BIG)))
    sizes = looks.sizing.order.pools
    here = {"extract": 16, "transcribe": 10, "write": 4}

    assert looks.at(replace(SCALED, nodes=(HEAD, BIG), refused=(ANY_CPU,))) == here
    assert looks.at(replace(SCALED, nodes=(HEAD, BIG))) is None
    assert looks.at(replace(SCALED, nodes=(HEAD,))) == {"extract": 2, "transcribe": 2, "write": 2}
    assert looks.at(replace(SCALED, nodes=(HEAD, BIG))) == sizes


def test_a_number_in_the_config_stands_whatever_the_cluster_has() -> None:
    looks = Looks(SCALED, "runtime.extract_workers=5")

    assert looks.sizing.order.pools["extract"] == 5
    assert looks.at(replace(SCALED, nodes=(BIG, BIG, BIG)))["extract"] == 5  # type: ignore[index]


def test_only_nodes_whose_labels_fit_are_counted() -> None:
    spot = Node({"CPU": 8.0, "GPU": 4.0}, {"tier": "spot"})
    looks = Looks(
        Cluster((BIG, spot)), "runtime.extract_labels={tier: spot}", "runtime.transcribe_gpus=0.5"
    )

    assert looks.sizing.order.pools == {"extract": 4, "transcribe": 8, "write": 5}


def test_a_head_that_does_not_answer_changes_nothing() -> None:
    looks = Looks(Cluster((BIG,)))

    assert looks.at(ray.exceptions.GetTimeoutError("no answer")) is None
    assert looks.sizing.order.pools["extract"] == 16


def test_a_cluster_that_does_not_answer_at_the_start_is_a_config_error() -> None:
    def silent() -> Cluster:
        raise ray.exceptions.GetTimeoutError("no answer")

    with pytest.raises(ConfigError, match="no answer"):
        Sizing(load_config("demo"), silent)


def test_people_are_told_once_what_no_node_can_take(caplog: pytest.LogCaptureFixture) -> None:
    looks = Looks(Cluster((HEAD, BIG)), "runtime.extract_cpus=64")
    looks.at(FIXED)
    looks.at(Cluster((HEAD, BIG)))

    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [line for line in told if "pool extract" in line] == [
        "no node of the cluster can now take a worker of the pool extract (64 CPUs), and no"
        " autoscaler is there to launch one; the largest has 32 CPUs and 0 GPUs; items wait until"
        " one joins or runtime.extract_* asks for less"
    ]


def test_people_are_told_when_the_autoscaler_refuses_not_while_it_may_launch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = Looks(SCALED, "runtime.transcribe_gpus=8")
    assert caplog.records == []

    looks.at(replace(SCALED, refused=(Wish(1, 8, {}),)))

    (told,) = caplog.records
    assert "pool transcribe (1 CPUs, 8 GPUs), and the autoscaler can launch none" in told.message
