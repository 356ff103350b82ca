"""Time jumps ahead while a job runs (the driver's own never goes back): nobody is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.scheduling import Event, Instruction
from tests.support.scheduling_world import World

HOUR_S = 3600.0


class JumpingClock:
    """Shows a scheduler another time than the world's from some event on."""

    def __init__(self, world: World, jumps: list[tuple[int, float]]) -> None:
        self._scheduler = world.scheduler
        self._jumps = sorted(jumps)
        self._events = 0
        self._off_s = 0.0

    @property
    def items_in_flight(self) -> int:
        return self._scheduler.items_in_flight

    @property
    def waiting_for(self) -> str:
        return self._scheduler.waiting_for

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        self._events += 1
        while self._jumps and self._jumps[0][0] <= self._events:
            self._off_s += self._jumps.pop(0)[1]
        return self._scheduler.handle(event, now_s + self._off_s)


def ended(seed: int, items: int, troubles: int, jumps: list[tuple[int, float]]) -> World:
    world = World(seed, items, troubles)
    world.scheduler = JumpingClock(world, jumps)  # type: ignore[assignment]
    world.run()
    return world


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    items=st.integers(1, 15),
    at=st.integers(1, 200),
    by_s=st.floats(0, 2 * HOUR_S),
)
def test_one_jump_of_the_clock_condemns_nobody(seed: int, items: int, at: int, by_s: float) -> None:
    """What was at work looks overdue after a jump ahead and is tried again, alone."""
    world = ended(seed, items, 0, [(at, by_s)])

    assert {item for item, _ in world.ends} == {f"file:{n}" for n in range(items)}
    assert sum(world.ends.values()) == items
    assert {end for _, end in world.ends} == {"done"}


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    items=st.integers(1, 15),
    troubles=st.integers(0, 40),
    jumps=st.lists(st.tuples(st.integers(1, 400), st.floats(0, 2 * HOUR_S)), max_size=6),
)
def test_every_item_ends_once_however_often_the_clock_jumps_ahead(
    seed: int, items: int, troubles: int, jumps: list[tuple[int, float]]
) -> None:
    world = ended(seed, items, troubles, jumps)

    assert {item for item, _ in world.ends} == {f"file:{n}" for n in range(items)}
    assert sum(world.ends.values()) == items
