"""The watch over Ray's head, against real sockets that stand for it and for the own node."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medpipe.runtime.head import HeadLost, HeadWatch
from tests.support.faults import wait_for


class Cluster:
    """Two listening sockets, and a watch over them."""

    def __init__(self, folder: Path) -> None:
        self.head = socket.create_server(("127.0.0.1", 0))
        self.raylet = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.raylet.bind(str(folder / "raylet"))
        self.raylet.listen()
        self.given_up: list[str] = []
        self.watch = HeadWatch(
            ("127.0.0.1", self.port), str(folder / "raylet"), 1.5, self.given_up.append, 1.0
        )
        self._own, _ = self.raylet.accept()

    @property
    def port(self) -> int:
        return int(self.head.getsockname()[1])

    def lose_raylet(self) -> None:
        self._own.close()

    def close(self) -> None:
        self.watch.close()
        for part in (self.head, self.raylet, self._own):
            part.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with contextlib.closing(Cluster(tmp_path)) as cluster:
        yield cluster


def reason(watch: HeadWatch) -> str:
    try:
        watch.check()
    except HeadLost as lost:
        return str(lost)
    return ""


def test_nothing_is_lost_while_both_are_there(cluster: Cluster) -> None:
    time.sleep(3)

    cluster.watch.check()
    assert cluster.given_up == []


def test_a_head_that_takes_no_connection_for_long_is_lost(cluster: Cluster) -> None:
    port = cluster.port
    cluster.head.close()
    assert reason(cluster.watch) == ""

    said = wait_for(lambda: reason(cluster.watch), "the loss", 10)

    assert said == f"Ray's head at 127.0.0.1:{port} was not there for 2 s"


def test_a_head_that_comes_back_in_time_is_not_lost(cluster: Cluster) -> None:
    port = cluster.port
    cluster.head.close()
    time.sleep(1)
    cluster.head = socket.create_server(("127.0.0.1", port))
    time.sleep(3)

    cluster.watch.check()


def test_the_own_node_is_lost_as_soon_as_it_hangs_up(cluster: Cluster) -> None:
    cluster.lose_raylet()

    said = wait_for(lambda: reason(cluster.watch), "the loss", 10)

    assert said == "the Ray node that this driver belongs to has gone"


@pytest.mark.parametrize("lose", [Cluster.lose_raylet, lambda c: c.head.close()])
def test_who_does_not_end_the_watch_after_a_loss_is_ended(
    cluster: Cluster, lose: Callable[[Cluster], None]
) -> None:
    lose(cluster)

    wait_for(lambda: cluster.given_up, "the end", 10)

    assert cluster.given_up == [reason(cluster.watch)]


def test_who_ends_the_watch_after_a_loss_is_left_alone(cluster: Cluster) -> None:
    cluster.lose_raylet()
    wait_for(lambda: reason(cluster.watch), "the loss", 10)

    cluster.watch.close()
    time.sleep(1.5)

    assert cluster.given_up == []
