"""How sure a figure is: intervals that cover the truth, and paired tests that see through noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from medpipe.genmedclip.judging.intervals import (
    Outcome,
    group_numbers,
    holm,
    paired_p,
    percentile_interval,
    replicates,
    resamples,
    wilson,
)


def outcome(values: np.ndarray, groups: np.ndarray | None = None) -> Outcome:
    own = np.arange(len(values)) if groups is None else groups
    return Outcome({"mean": lambda w: float(w @ values / w.sum())}, own)


def interval(
    values: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float]:
    return percentile_interval(replicates(outcome(values, groups), 400, seed)["mean"])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (50, 100), (997, 1000), (7, 7)])
def test_wilsons_interval_is_scipys(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")

    assert wilson(hits, n) == pytest.approx((expected.low, expected.high))


def test_the_bootstrap_agrees_with_wilson_on_independent_examples() -> None:
    right = (np.arange(500) < 400).astype(float)

    assert interval(right) == pytest.approx(wilson(400, 500), abs=0.012)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(120):
        low, high = interval(random.normal(0.3, 1, 80), seed=trial)
        covered += low <= 0.3 <= high

    assert 0.87 <= covered / 120 <= 1.0


def test_pictures_of_one_patient_are_no_independent_witnesses() -> None:
    of_patient = np.random.default_rng(2).normal(size=20)
    values, groups = np.repeat(of_patient, 30), np.repeat(np.arange(20), 30)

    alone_low, alone_high = interval(values)
    low, high = interval(values, groups)

    # 30 copies of 20 witnesses: wider by about the square root of 30.
    assert 3.5 < (high - low) / (alone_high - alone_low) < 8


def test_a_group_is_drawn_whole() -> None:
    groups = group_numbers(["a", None, "a", "b", None, "b", "a"])

    for weights in resamples(groups, 50, seed=3):
        assert weights[0] == weights[2] == weights[6]
        assert weights[3] == weights[5]


def test_the_same_seed_gives_every_model_the_same_resamples() -> None:
    groups = np.arange(30)

    first, again = (list(resamples(groups, 5, seed=4)) for _ in range(2))
    other = list(resamples(groups, 5, seed=5))

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_pairing_finds_a_small_difference_that_intervals_hide() -> None:
    random = np.random.default_rng(6)
    hard = random.normal(size=300)
    first, second = hard, hard + random.normal(0.05, 0.2, 300)
    a, b = (replicates(outcome(v), 400, seed=7)["mean"] for v in (first, second))

    assert percentile_interval(a)[1] > percentile_interval(b)[0]
    assert paired_p(b - a) < 0.05


def test_equal_models_do_not_differ() -> None:
    values = np.random.default_rng(8).normal(size=50)
    a = replicates(outcome(values), 200, seed=9)["mean"]

    assert paired_p(a - a) == 1.0


def test_holms_correction_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_a_corrected_p_is_never_smaller_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)

    assert all(c >= p for c, p in zip(corrected, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(np.diff(np.array(corrected)[order]) >= 0)
