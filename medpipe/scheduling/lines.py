"""Who goes first: ordered sets, and the lines of steps that wait for a worker of their pool."""

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=tuple[object, ...])


class Ranked(Generic[T]):
    """A set whose smallest member is at hand; every other operation takes no look at the rest.

    The heap keeps members that left until they surface, each at most once.
    """

    def __init__(self) -> None:
        self._heap: list[T] = []
        self._in_heap: set[T] = set()
        self._members: set[T] = set()

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: T) -> bool:
        return member in self._members

    def put(self, member: T, *, inside: bool) -> None:
        """Let a member be in the set or not."""
        if not inside:
            self._members.discard(member)
        elif member not in self._members:
            self._members.add(member)
            if member not in self._in_heap:
                self._in_heap.add(member)
                heapq.heappush(self._heap, member)

    def first(self) -> T | None:
        """The smallest member."""
        while self._heap and self._heap[0] not in self._members:
            self._in_heap.discard(heapq.heappop(self._heap))
        return self._heap[0] if self._heap else None

    def in_order(self) -> Iterator[T]:
        """Members from the smallest on; those that leave meanwhile are passed over."""
        first = self.first()
        if first is None:
            return
        yield first
        for member in sorted(self._members - {first}):
            if member in self._members:
                yield member


# Attempt of an item (older ones are smaller), place of the step in its walk, the item.
Turn = tuple[int, int, str]


class Lines:
    """Steps that wait for a worker, by pool and lane; those of suspects wait apart."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Ranked[Turn]]] = {}
        self._suspects: dict[str, Ranked[Turn]] = {}

    def put(self, pool: str, lane: str, turn: Turn, *, alone: bool, inside: bool) -> None:
        """Let a step wait or not."""
        if alone:
            line = self._suspects.setdefault(pool, Ranked())
        else:
            line = self._lines.setdefault(pool, {}).setdefault(lane, Ranked())
        line.put(turn, inside=inside)

    def heads(self, pool: str) -> list[tuple[str, Turn, int]]:
        """The oldest waiting step of each lane, and how many wait there."""
        lines = self._lines.get(pool, {}).items()
        heads = ((lane, line.first(), len(line)) for lane, line in lines)
        return [(lane, turn, waiting) for lane, turn, waiting in heads if turn is not None]

    def suspects(self, pool: str) -> Iterator[Turn]:
        """Waiting steps of suspects, oldest first."""
        line = self._suspects.get(pool)
        return iter(()) if line is None else line.in_order()
