"""The nodes of the cluster: what each has, and whether its labels are those that a worker needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import ray


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

    def takes(self, cpus: float, gpus: float, selector: Mapping[str, str]) -> bool:
        """Whether a worker could run on it if it were empty."""
        have = self.resources
        return have.get("CPU", 0) >= cpus and have.get("GPU", 0) >= gpus and self.has(selector)


def living_nodes() -> list[Node]:
    """The nodes of the cluster as the head knows them."""
    found = ray.nodes()  # type: ignore[no-untyped-call]
    return [Node(node["Resources"], node["Labels"]) for node in found if node["Alive"]]


def selects(wanted: str, value: str | None) -> bool:
    """Whether a label is what a selector's value asks for, in Ray's grammar.

    Args:
        wanted: `L4`, `!L4`, `in(L4, A100)` or `!in(L4, A100)`.
        value: The label; None if the node has none of that name, which a `!` is content with.
    """
    plain = wanted.removeprefix("!")
    inside = plain.removeprefix("in").strip("()")
    listed = plain.endswith(")")
    named = [part.strip() for part in inside.split(",")] if listed else [plain]
    return (value in named) != wanted.startswith("!")
