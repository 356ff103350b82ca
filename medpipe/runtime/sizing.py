"""How many workers each pool may have: by the nodes that are there and those that may come."""

import logging
import time
from collections.abc import Callable, Mapping

import ray

from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError
from medpipe.runtime.nodes import Cluster, Node, Wish, look
from medpipe.runtime.pools import video_kinds
from medpipe.scheduling import Resize

logger = logging.getLogger(__name__)

_EVERY_S = 5.0


class Sizing:
    """Looks at the cluster every few seconds.

    A pool that the config gives no number has as many workers as the nodes suit, at least one.
    Where an autoscaler is at work it may have twice as many: those that find no room are what it
    launches nodes for, and the pool grows with them. Once the autoscaler has refused, nothing is
    asked on top until nodes come or go.

    Args:
        config: What a worker asks for, and the most workers where it says so.
        look_now: Asks the head how the cluster is.
        every_s: Seconds between two looks.

    Attributes:
        order: The most workers of each pool, for the scheduler.

    Raises:
        ConfigError: The head does not answer at the start.
    """

    def __init__(
        self,
        config: MedpipeConfig,
        look_now: Callable[[], Cluster] = look,
        every_s: float = _EVERY_S,
    ) -> None:
        runtime = config.runtime
        self._wishes = {name: kind.wish for name, kind in video_kinds(config).items()}
        self._most = {
            "extract": runtime.extract_workers,
            "transcribe": runtime.transcribe_workers,
            "write": runtime.write_workers,
        }
        self._look = look_now
        self._every_s = every_s
        self._nodes: tuple[Node, ...] = ()
        self._refused: set[str] = set()
        self._warned: set[str] = set()
        self._look_at_s = time.monotonic() + every_s
        try:
            self.order = self._sized(self._look())
        except ray.exceptions.RayError as error:
            raise ConfigError(f"Ray's head does not say how the cluster is: {error}") from error

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes at the last look."""
        return self._nodes

    def changed(self) -> Resize | None:
        """The most workers of each pool, if that is not what it was; looks now and then only.

        A head that is away changes nothing. Warns, once a pool, of workers that cannot be placed.
        """
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return None
        self._look_at_s = now_s + self._every_s
        try:
            order = self._sized(self._look())
        except ray.exceptions.RayError as error:
            logger.info("Ray's head does not say how the cluster is: %s", error)
            return None
        if order == self.order:
            return None
        self.order = order
        return order

    def _sized(self, cluster: Cluster) -> Resize:
        if cluster.nodes != self._nodes:
            self._refused.clear()
        self._nodes = cluster.nodes
        self._refused |= {name for name, wish in self._wishes.items() if cluster.refuses(wish)}
        sizes = {}
        for name, here in sizes_here(self._wishes, cluster.nodes).items():
            grows = cluster.scales and name not in self._refused
            sizes[name] = self._most[name] or max(1, here) * (2 if grows else 1)
        for name in set(self._wishes) - self._warned:
            if text := self._hopeless(name, cluster):
                self._warned.add(name)
                logger.warning("%s", text)
        return Resize(sizes, one_first=cluster.scales)

    def _hopeless(self, name: str, cluster: Cluster) -> str | None:
        """What to tell people if no worker of a pool can be placed."""
        return hopeless(name, self._wishes[name], cluster, refused=name in self._refused)


def hopeless(name: str, wish: Wish, cluster: Cluster, *, refused: bool) -> str | None:
    """What to tell people if the nodes can take no worker of a pool and no other may come.

    Args:
        name: Of the pool.
        wish: What one of its workers asks for.
        cluster: As it is.
        refused: The autoscaler can launch no node for it.
    """
    if cluster.takes(wish) or (cluster.scales and not refused):
        return None
    if cluster.scales:
        why = (
            "and the autoscaler can launch none: no node type is large enough or labelled so, or"
            " its max_workers are all there"
        )
    else:
        why = "and no autoscaler is there to launch one"
    return (
        f"no node of the cluster can now take a worker of the pool {name} ({wish}), {why}; the"
        f" largest has {cluster.largest}; items wait until one joins or runtime.{name}_* asks for"
        " less"
    )


def sizes_here(wishes: Mapping[str, Wish], nodes: tuple[Node, ...]) -> dict[str, int]:
    """Workers of each pool that suit some nodes, by their CPUs or, for transcribing, GPUs."""

    def total(name: str, resource: str) -> float:
        labels = wishes[name].labels
        return sum(node.resources.get(resource, 0.0) for node in nodes if node.has(labels))

    gpus = wishes["transcribe"].gpus
    listeners = total("transcribe", "GPU") / gpus if gpus else total("transcribe", "CPU") // 3
    return {
        "extract": int(total("extract", "CPU")) // 2,
        "transcribe": int(listeners),
        "write": int(total("write", "CPU")) // 8,
    }
