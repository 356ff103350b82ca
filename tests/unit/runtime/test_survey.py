"""What can never be placed on a cluster is told before anything runs."""

from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.runtime.nodes import Cluster, Node, Wish
from medpipe.runtime.survey import fits, node_types

CLUSTER = Path(__file__).parents[3] / "cluster"
SMALL = Node({"CPU": 2.0}, {"pool": "cpu"})
GPU = Node({"CPU": 2.0, "GPU": 1.0}, {"pool": "gpu"})
HEAR = Wish(1, 1, {"pool": "gpu"})


def test_a_worker_that_a_node_takes_is_well_whatever_may_come() -> None:
    assert fits("transcribe", HEAR, Cluster((SMALL, GPU))).ok


def test_without_an_autoscaler_what_no_node_takes_will_never_run() -> None:
    found = fits("transcribe", HEAR, Cluster((SMALL,)))

    assert (found.ok, found.needed) == (False, True)
    assert found.seen == (
        "no node can ever take a worker (1 CPUs, 1 GPUs, labels pool: gpu):"
        " the largest has 2 CPUs and 0 GPUs"
    )
    assert "runtime.transcribe_cpus" in found.advice


def test_with_an_autoscaler_of_unknown_types_it_is_doubtful_until_it_refuses() -> None:
    doubtful = fits("transcribe", HEAR, Cluster((), scales=True))
    refused = fits("transcribe", HEAR, Cluster((), scales=True, refused=(HEAR,)))

    assert (doubtful.ok, doubtful.needed) == (False, False)
    assert (refused.ok, refused.needed) == (False, True)


def test_the_types_of_a_cluster_file_decide_what_may_come() -> None:
    types = node_types(CLUSTER / "local.yaml")
    empty = Cluster((), scales=True)

    assert fits("transcribe", HEAR, empty, types).ok
    for wish in (Wish(1, 2, {}), Wish(3, 0, {}), Wish(1, 1, {"pool": "cpu"})):
        found = fits("transcribe", wish, empty, types)
        assert (found.ok, found.needed) == (False, True)
        assert "the largest has 2 CPUs and 1 GPUs" in found.seen


def test_a_file_that_does_not_say_what_its_types_have_is_refused_with_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"cpu-spot, gpu-spot has; .* ~/ray_bootstrap_config"):
        node_types(CLUSTER / "aws.yaml")


@pytest.mark.parametrize("text", ["", "a: b", "[", "available_node_types: 3", "- a"])
def test_what_is_no_cluster_file_is_a_config_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(text)

    with pytest.raises(ConfigError, match="is no cluster file"):
        node_types(tmp_path / "file.yaml")
