"""The crew: who may begin what, who is worn, and who goes first."""

import pytest

from medpipe.scheduling import FailureKind, RetryPolicy, SchedulingConfig
from medpipe.scheduling.crew import Crew, Run
from medpipe.scheduling.lines import Ranked


def crew_of(n: int, *, up: bool = True, limit: int | None = None, **config: object) -> Crew:
    """A crew of n workers `work-0`, ... of one pool."""
    crew = Crew(SchedulingConfig.model_validate(config), {"work": limit or n})
    for _ in range(n):
        name = crew.start("work", 0)
        if up:
            crew.came_up(name, "", 0)
    return crew


def begin(crew: Crew, name: str, item: str, lane: str = "compute", *, alone: bool = False) -> None:
    crew.begin(name, lane, Run(item, 1, lane, 100.0), alone=alone)


def end(crew: Crew, item: str, lane: str = "compute", *, now_s: float = 0) -> None:
    assert crew.end((item, 1, lane), now_s)


def test_the_first_idle_worker_is_taken() -> None:
    crew = crew_of(3)
    begin(crew, "work-0", "a")

    assert crew.free("work") == "work-1"
    end(crew, "a")
    assert crew.free("work") == "work-0"


def test_a_suspect_gets_only_workers_that_have_done_nothing() -> None:
    crew = crew_of(2)
    begin(crew, "work-0", "a")
    end(crew, "a")

    assert crew.fresh("work") == "work-1"
    begin(crew, "work-1", "b")
    end(crew, "b")
    assert crew.fresh("work") is None
    assert crew.retirable("work") == "work-0"


def test_nobody_is_retired_while_a_fresh_worker_is_coming() -> None:
    crew = crew_of(1, limit=2)
    begin(crew, "work-0", "a")
    end(crew, "a")

    crew.start("work", 0)

    assert crew.retirable("work") is None


def test_a_busy_worker_fetches_ahead_when_its_pool_is_full_and_at_work() -> None:
    crew = crew_of(2)
    begin(crew, "work-0", "a")
    begin(crew, "work-1", "b")

    assert crew.ahead("work", "fetch", 1) == "work-0"
    assert crew.ahead("work", "compute", 1) is None


@pytest.mark.parametrize("case", ["not full", "one starts", "one is idle", "not wanted"])
def test_nobody_fetches_ahead_when(case: str) -> None:
    crew = crew_of(1, limit=1 if case == "not wanted" else 2, prefetch_items=case != "not wanted")
    begin(crew, "work-0", "a")
    if case in ("one starts", "one is idle"):
        crew.start("work", 0)
    if case == "one is idle":
        crew.came_up("work-1", "", 0)

    assert crew.ahead("work", "fetch", 1) is None


def test_what_waits_beyond_those_that_start_is_fetched_ahead() -> None:
    crew = crew_of(1, limit=3)
    begin(crew, "work-0", "a")
    crew.start("work", 0)

    assert crew.ahead("work", "fetch", 2) is None
    assert crew.ahead("work", "fetch", 3) == "work-0"


def test_a_worker_fetches_no_further_ahead_than_it_may() -> None:
    crew = crew_of(1, prefetch_items=2)
    begin(crew, "work-0", "a")

    begin(crew, "work-0", "b", "fetch")
    assert crew.ahead("work", "fetch", 1) is None  # the lane is taken
    crew.end(("b", 1, "fetch"), 0, holds=True)
    assert crew.ahead("work", "fetch", 1) == "work-0"
    begin(crew, "work-0", "c", "fetch")
    crew.end(("c", 1, "fetch"), 0, holds=True)

    assert crew.ahead("work", "fetch", 1) is None


def test_nothing_is_fetched_beside_a_suspect_until_its_worker_is_idle_again() -> None:
    crew = crew_of(1)
    begin(crew, "work-0", "suspect", "fetch", alone=True)
    crew.end(("suspect", 1, "fetch"), 0, holds=True)

    assert crew.ahead("work", "fetch", 1) is None
    crew.let_go("work-0", "suspect", 0)
    begin(crew, "work-0", "b")
    assert crew.ahead("work", "fetch", 1) == "work-0"


def test_a_worker_that_has_done_enough_is_given_nothing_and_let_go_when_idle() -> None:
    crew = crew_of(1, worker_max_steps=2)
    for item in ("a", "b"):
        begin(crew, "work-0", item)
        assert crew.spare("work", 1, 0) == []
        assert crew.ahead("work", "fetch", 1) == (None if item == "b" else "work-0")
        end(crew, item)

    assert crew.free("work") is None
    assert crew.spare("work", 1, 0) == ["work-0"]


def test_bugs_in_a_row_wear_a_worker_out_and_a_success_in_between_does_not() -> None:
    crew = crew_of(2, retry=RetryPolicy(bug_tries=1, worker_bugs=2))
    for worker, item, failed in [
        ("work-0", "a", FailureKind.BUG),
        ("work-0", "b", None),
        ("work-0", "c", FailureKind.BUG),
        ("work-1", "d", FailureKind.BUG),
        ("work-1", "e", FailureKind.TRANSIENT),
        ("work-1", "f", FailureKind.BUG),
    ]:
        begin(crew, worker, item)
        crew.end((item, 1, "compute"), 0, failed=failed)

    assert crew.spare("work", 2, 0) == ["work-1"]


def test_the_longest_idle_go_first_and_no_more_than_are_over() -> None:
    crew = crew_of(4, idle_worker_s=60)
    for n in range(4):
        begin(crew, f"work-{n}", f"{n}")
    for now_s, n in enumerate([2, 0, 3, 1]):
        end(crew, f"{n}", now_s=now_s)

    assert crew.spare("work", 0, 60) == []
    assert crew.spare("work", 2, 100) == ["work-2", "work-0"]
    assert crew.spare("work", 4, 100) == []


def test_whole_nodes_are_given_back_first() -> None:
    crew = Crew(SchedulingConfig(idle_worker_s=60), {"work": 6, "write": 1})
    for n in range(6):
        crew.came_up(crew.start("work", 0), f"node-{n % 3}", n)
    crew.came_up(crew.start("write", 0), "node-0", 0)
    begin(crew, "write-0", "a")

    assert crew.spare("work", 4, 100) == ["work-1", "work-4"]
    assert crew.spare("work", 2, 100) == ["work-1", "work-4", "work-2", "work-5"]
    assert crew.spare("work", 0, 100)[-2:] == ["work-0", "work-3"]


def test_a_result_of_a_worker_that_is_gone_finds_nobody() -> None:
    crew = crew_of(1)
    begin(crew, "work-0", "a")

    crew.remove("work-0")

    assert crew.end(("a", 1, "compute"), 0) is None
    assert crew.overdue(1000) == []
    assert crew.let_go("work-0", "a", 0) is False


def test_whoever_is_past_a_deadline_is_told_once_in_the_order_they_were_started() -> None:
    crew = crew_of(2, limit=4, worker_start_s=50)
    begin(crew, "work-1", "b")
    begin(crew, "work-0", "a")
    crew.start("work", 100)

    assert crew.overdue(100) == []
    assert [(name, [r.item_id for r in late]) for name, late in crew.overdue(151)] == [
        ("work-0", ["a"]),
        ("work-1", ["b"]),
        ("work-2", []),
    ]
    assert crew.overdue(152) == []


def test_a_rank_keeps_its_smallest_first_and_grows_with_its_members_only() -> None:
    rank: Ranked[tuple[int]] = Ranked()
    for n in (3, 1, 2):
        rank.put((n,), inside=True)
    for _ in range(100):
        rank.put((3,), inside=False)
        rank.put((3,), inside=True)

    assert rank.first() == (1,)
    assert list(rank.in_order()) == [(1,), (2,), (3,)]
    assert len(rank._heap) == 3
    rank.put((1,), inside=False)
    assert (rank.first(), len(rank), (1,) in rank) == ((2,), 2, False)
