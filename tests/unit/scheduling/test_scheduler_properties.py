"""The scheduler in a small world where anything goes wrong: what holds whatever happens."""

from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.scheduling import RunStep, Scheduler, Tick
from tests.support.scheduling_world import CONFIG, POOLS, World


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), items=st.integers(0, 25), troubles=st.integers(0, 80))
def test_every_item_ends_once_whatever_happens(seed: int, items: int, troubles: int) -> None:
    world = World(seed, items, troubles)

    world.run()

    assert {item for item, _ in world.ends} == {f"file:{n}" for n in range(items)}
    assert sum(world.ends.values()) == items
    assert {end for _, end in world.ends} <= {"done", "rejected", "dead"}
    assert not world.ready
    assert not world.elsewhere
    assert world.scheduler.handle(Tick(), world.now_s + 1) == []


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_the_same_events_give_the_same_orders(seed: int) -> None:
    world = World(seed, items=10, troubles=30)
    world.run()

    again = Scheduler(CONFIG, VIDEO_WALK, RECORD_REJECTION, POOLS)

    assert [again.handle(event, now_s) for event, now_s, _ in world.history] == [
        out for _, _, out in world.history
    ]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), items=st.integers(1, 10))
def test_without_trouble_every_item_is_done_at_its_first_attempt(seed: int, items: int) -> None:
    world = World(seed, items, troubles=0)

    world.run()

    assert set(world.ends.values()) == {1}
    assert {end for _, end in world.ends} == {"done"}
    assert len({(run.item_id, run.attempt) for run in runs(world)}) == items


def runs(world: World) -> list[RunStep]:
    return [order for _, _, out in world.history for order in out if isinstance(order, RunStep)]
