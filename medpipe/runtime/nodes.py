"""The nodes of the cluster, what each has and is labelled, and what its autoscaler says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
import ray.util.client
from ray.core.generated import autoscaler_pb2, common_pb2

# Ray ships these without types.
_messages: Any = autoscaler_pb2
_common: Any = common_pb2

_ANSWER_S = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """What a worker asks of its node.

    Attributes:
        cpus: CPUs.
        gpus: GPUs, or a share of one.
        labels: What the node's labels must be, as Ray's selectors.
    """

    cpus: float
    gpus: float
    labels: Mapping[str, str]

    def same_as(self, other: "Wish") -> bool:
        """Whether two ask for the same, however their selectors are written."""
        mine, theirs = ({k: _parsed(v) for k, v in w.labels.items()} for w in (self, other))
        return (self.cpus, self.gpus, mine) == (other.cpus, other.gpus, theirs)

    def __str__(self) -> str:
        asked = f"{self.cpus:g} CPUs" + (f", {self.gpus:g} GPUs" if self.gpus else "")
        if self.labels:
            asked += ", labels " + ", ".join(f"{key}: {v}" for key, v in self.labels.items())
        return asked


@dataclass(frozen=True, slots=True)
class Node:
    """A node that lives.

    Attributes:
        resources: All that it has, used or not: CPU, GPU, memory (bytes) and others.
        labels: As it was started with, or as Ray found out.
    """

    resources: Mapping[str, float]
    labels: Mapping[str, str]

    def has(self, selector: Mapping[str, str]) -> bool:
        """Whether its labels are those that a selector asks for."""
        return all(selects(value, self.labels.get(key)) for key, value in selector.items())

    def takes(self, wish: Wish) -> bool:
        """Whether a worker could run on it if it were empty."""
        have = self.resources
        enough = have.get("CPU", 0) >= wish.cpus and have.get("GPU", 0) >= wish.gpus
        return enough and self.has(wish.labels)


@dataclass(frozen=True, slots=True)
class Cluster:
    """How a cluster is at a moment.

    Attributes:
        nodes: Those that live and are not told to go, in an order that does not change.
        scales: An autoscaler is at work.
        refused: What somebody waits for and the autoscaler can launch no node for: none of its
            types is large enough, or no more of them are allowed.
    """

    nodes: tuple[Node, ...]
    scales: bool = False
    refused: tuple[Wish, ...] = ()

    def takes(self, wish: Wish) -> bool:
        """Whether any node could take such a worker if it were empty."""
        return any(node.takes(wish) for node in self.nodes)

    def refuses(self, wish: Wish) -> bool:
        """Whether the autoscaler has refused just that."""
        return any(wish.same_as(other) for other in self.refused)

    @property
    def largest(self) -> str:
        """In words, the most that any one node has."""
        cpus, gpus = (
            max((node.resources.get(kind, 0.0) for node in self.nodes), default=0.0)
            for kind in ("CPU", "GPU")
        )
        return f"{cpus:g} CPUs and {gpus:g} GPUs"


def look() -> Cluster:
    """Ask the head of the cluster that this process is connected to.

    Raises:
        RayError: The head does not answer within seconds.
    """
    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]
        return Cluster(_nodes_from_afar())
    # The process's own client: one made anew would wait 30 s for a head that is away (2.60).
    own: Any = ray._private.worker.global_worker
    reply = _messages.GetClusterStatusReply()
    reply.ParseFromString(own.gcs_client.get_cluster_status(timeout_s=_ANSWER_S))
    scaler = reply.autoscaling_state
    return Cluster(
        nodes=tuple(
            Node(dict(node.total_resources), dict(node.labels))
            for node in sorted(
                reply.cluster_resource_state.node_states, key=lambda node: bytes(node.node_id)
            )
            if node.status not in (_messages.DEAD, _messages.DRAINING)
        ),
        scales=scaler.autoscaler_state_version > 0,
        refused=tuple(_wish(request) for request in scaler.infeasible_resource_requests),
    )


def _nodes_from_afar() -> tuple[Node, ...]:
    """As a driver sees them that is on no node (`ray://`); nobody tells it of an autoscaler."""
    found = ray.nodes()  # type: ignore[no-untyped-call]
    return tuple(Node(node["Resources"], node["Labels"]) for node in found if node["Alive"])


def selects(wanted: str, value: str | None) -> bool:
    """Whether a label is what a selector's value asks for, in Ray's grammar.

    Args:
        wanted: `L4`, `!L4`, `in(L4, A100)` or `!in(L4, A100)`.
        value: The label; None if the node has none of that name, which a `!` is content with.
    """
    named, negated = _parsed(wanted)
    return (value in named) != negated


def _parsed(wanted: str) -> tuple[frozenset[str], bool]:
    """The labels that a selector names, and whether it wants any but these."""
    plain = wanted.removeprefix("!")
    inside = plain.removeprefix("in").strip("()")
    named = [part.strip() for part in inside.split(",")] if plain.endswith(")") else [plain]
    return frozenset(named), wanted.startswith("!")


def _wish(request: Any) -> Wish:
    """Read a request for resources as the autoscaler writes it down."""
    labels = {}
    for selector in request.label_selectors:
        for constraint in selector.label_constraints:
            sign = "!" if constraint.operator == _common.LABEL_OPERATOR_NOT_IN else ""
            labels[constraint.label_key] = f"{sign}in({', '.join(constraint.label_values)})"
    asked = dict(request.resources_bundle)
    return Wish(asked.get("CPU", 0.0), asked.get("GPU", 0.0), labels)
