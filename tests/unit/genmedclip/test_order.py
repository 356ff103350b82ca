"""The order of training is a pure function of rows, seed and epoch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.genmedclip.order import Cursor, Order, advanced, share_of


def order(sizes: list[int], *, batch: int, epoch: int = 0, alpha: float = 1.0, **how: int) -> Order:
    group = np.repeat(np.arange(len(sizes)), sizes)
    domain = group % 3
    return Order(
        group, domain, global_batch=batch, seed=how.pop("seed", 7), epoch=epoch, alpha=alpha, **how
    )


def all_batches(made: Order) -> list[list[int]]:
    return [made.batch(number).tolist() for number in range(made.batches)]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    batch=st.integers(1, 8),
    window=st.integers(1, 40),
)
def test_an_epoch_takes_no_row_twice_and_leaves_less_than_a_batch(
    sizes: list[int], batch: int, window: int
) -> None:
    made = order(sizes, batch=batch, window_rows=window)
    seen = Counter(row for rows in all_batches(made) for row in rows)
    assert set(seen.values()) <= {1}
    assert set(seen) <= set(range(sum(sizes)))
    assert len(seen) == sum(sizes) // batch * batch


def test_the_same_seed_and_epoch_give_the_same_batches_whichever_is_asked_first() -> None:
    one, other = order([5] * 9, batch=4), order([5] * 9, batch=4)
    late_first = other.batch(8).tolist()
    assert all_batches(one)[8] == late_first
    assert all_batches(one) == all_batches(other)


def test_epochs_and_seeds_differ() -> None:
    orders = [order([5] * 9, batch=5, epoch=e, seed=s) for e, s in ((0, 7), (1, 7), (0, 8))]
    assert len({str(all_batches(made)) for made in orders}) == 3


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_workers_share_every_batch_without_loss(world_size: int) -> None:
    made = order([7] * 8, batch=8)
    for number in range(made.batches):
        batch = made.batch(number)
        parts = [share_of(batch, rank, world_size) for rank in range(world_size)]
        assert np.concatenate(parts).tolist() == batch.tolist()


def test_workers_that_cannot_share_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="evenly"):
        share_of(np.arange(8), 0, 3)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30), window=st.integers(1, 40))
def test_a_row_group_is_in_use_for_about_a_window_and_never_again(
    sizes: list[int], window: int
) -> None:
    made = order(sizes, batch=1, window_rows=window)
    group = np.repeat(np.arange(len(sizes)), sizes)
    places: dict[int, list[int]] = {}
    for place, (row,) in enumerate(all_batches(made)):
        places.setdefault(int(group[row]), []).append(place)
    spans = {one: found[-1] - found[0] for one, found in places.items()}
    assert all(span < sizes[one] + 2 * window for one, span in spans.items())


def test_rows_of_many_groups_meet_in_a_batch_and_neighbours_part() -> None:
    made = order([50] * 40, batch=100, window_rows=1000)
    middle = [made.batch(number) // 50 for number in range(5, 15)]
    assert all(len(set(groups.tolist())) > 12 for groups in middle)


def test_one_worker_of_four_reads_about_a_quarter_of_the_row_groups() -> None:
    made = order([8] * 32, batch=64, window_rows=256)
    mine = np.concatenate([share_of(made.batch(n), 1, 4) for n in range(made.batches)])
    assert len(set((mine // 8).tolist())) <= 16


def test_balance_draws_small_domains_more_often_and_every_domain_evenly() -> None:
    sizes = [80, 15, 5]
    domain = np.repeat([0, 1, 2], sizes)
    made = Order(
        np.zeros(100, np.int64), domain, global_batch=100, seed=0, epoch=0, alpha=0.5
    )  # fmt: skip
    rows = made.batch(0)
    drawn = Counter(domain[rows].tolist())
    want = np.sqrt(sizes) / np.sqrt(sizes).sum() * 100
    assert all(abs(drawn[n] - want[n]) <= 1 for n in range(3))
    for number in range(3):
        repeats = Counter(row for row in rows.tolist() if domain[row] == number)
        counts = [repeats.get(row, 0) for row in np.flatnonzero(domain == number).tolist()]
        assert max(counts) - min(counts) <= 1


def test_no_balance_at_all_draws_every_domain_alike() -> None:
    domain = np.repeat([0, 1], [90, 10])
    made = Order(np.zeros(100, np.int64), domain, global_batch=100, seed=0, epoch=0, alpha=0.0)
    assert Counter(domain[made.batch(0)].tolist()) == {0: 50, 1: 50}


def test_the_cursor_goes_through_batches_and_epochs() -> None:
    assert advanced(Cursor(0, 0), 2) == Cursor(0, 1)
    assert advanced(Cursor(0, 1), 2) == Cursor(1, 0)


def test_a_batch_beyond_the_epoch_is_refused() -> None:
    with pytest.raises(IndexError, match="no batch 3"):
        order([12], batch=4).batch(3)
