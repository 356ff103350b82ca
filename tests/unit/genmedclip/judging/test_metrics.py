"""Figures of classifiers: equal to scikit-learn's under any weights, ties without favour."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from medpipe.genmedclip.judging.metrics import (
    Calibration,
    Ranking,
    Rankings,
    accuracy,
    balanced_accuracy,
    choices,
    confusion,
    macro_f1,
    softmax,
)


def drawn(
    seed: int, n: int = 120, classes: int = 4, ties: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    scores = random.normal(size=(n, classes)) + 1.2 * np.eye(classes)[labels]
    weights = random.integers(0, 4, n).astype(float)
    return (np.round(scores) if ties else scores), labels, weights


@pytest.mark.parametrize("seed", range(5))
def test_figures_of_a_choice_are_scikit_learns(seed: int) -> None:
    scores, labels, weights = drawn(seed)
    given_class = scores.argmax(axis=1)
    matrix = confusion(labels, choices(scores), 4, weights)

    assert accuracy(matrix) == pytest.approx(
        reference.accuracy_score(labels, given_class, sample_weight=weights)
    )
    assert balanced_accuracy(matrix) == pytest.approx(
        reference.balanced_accuracy_score(labels, given_class, sample_weight=weights)
    )
    assert macro_f1(matrix) == pytest.approx(
        reference.f1_score(labels, given_class, average="macro", sample_weight=weights)
    )


@pytest.mark.parametrize("ties", [False, True], ids=["distinct scores", "many ties"])
@pytest.mark.parametrize("seed", range(5))
def test_figures_of_a_ranking_are_scikit_learns(seed: int, ties: bool) -> None:
    scores, labels, weights = drawn(seed, ties=ties)
    positive = labels == 1
    ranking = Ranking(scores[:, 1], positive)

    assert ranking.auroc(weights) == pytest.approx(
        reference.roc_auc_score(positive, scores[:, 1], sample_weight=weights)
    )
    assert ranking.average_precision(weights) == pytest.approx(
        reference.average_precision_score(positive, scores[:, 1], sample_weight=weights)
    )


def test_macro_auroc_is_scikit_learns_one_against_the_rest() -> None:
    scores, labels, _ = drawn(3)
    probabilities = softmax(scores)

    found = Rankings(probabilities, np.eye(4, dtype=bool)[labels]).auroc(np.ones(len(labels)))

    assert found == pytest.approx(
        reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    )


def test_weights_mean_how_often_an_example_counts() -> None:
    scores, labels, weights = drawn(9)
    often = np.repeat(np.arange(len(labels)), weights.astype(int))
    ones = np.ones(len(often))

    by_weight = Ranking(scores[:, 0], labels == 0).auroc(weights)
    by_copies = Ranking(scores[often, 0], labels[often] == 0).auroc(ones)

    assert by_weight == pytest.approx(by_copies)


@given(n=st.integers(2, 40), classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_one_who_cannot_choose_is_right_as_often_as_chance(n: int, classes: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, n)
    matrix = confusion(labels, choices(np.zeros((n, classes))), classes, np.ones(n))

    assert accuracy(matrix) == pytest.approx(1 / classes)
    assert balanced_accuracy(matrix) == pytest.approx(1 / classes)


def test_a_tie_of_two_is_half_right() -> None:
    chosen = choices(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    matrix = confusion(np.array([0, 0]), chosen, 3, np.ones(2))

    assert accuracy(matrix) == 0.75
    assert matrix.tolist() == [[1.5, 0.5, 0], [0, 0, 0], [0, 0, 0]]


@given(seed=st.integers(0, 999))
def test_turning_scores_around_turns_auroc_around(seed: int) -> None:
    scores, labels, weights = drawn(seed, n=30, ties=True)
    positive = labels < 2
    if not (weights[positive].sum() and weights[~positive].sum()):
        return

    forth = Ranking(scores[:, 0], positive).auroc(weights)
    back = Ranking(-scores[:, 0], positive).auroc(weights)

    assert forth + back == pytest.approx(1)


def test_what_is_not_defined_is_nan_and_no_zero() -> None:
    everyone = Ranking(np.array([0.1, 0.9]), np.array([True, True]))
    no_one = Ranking(np.array([0.1, 0.9]), np.array([False, False]))

    assert np.isnan(everyone.auroc(np.ones(2)))
    assert np.isnan(no_one.average_precision(np.ones(2)))
    assert np.isnan(accuracy(np.zeros((3, 3))))


def test_calibration_error_is_what_one_computes_by_hand() -> None:
    # Two sure answers, one of them wrong; two answers at .6, both right.
    probabilities = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4], [0.6, 0.4]])
    calibration = Calibration(probabilities, np.array([0, 1, 0, 0]))

    assert calibration.error(np.ones(4)) == pytest.approx(0.5 * 0.5 + 0.5 * 0.4)
    assert calibration.error(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.0)


def test_answers_as_sure_as_they_are_right_have_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 20_000)
    labels = (random.uniform(size=20_000) > sure).astype(int)

    error = Calibration(np.stack([sure, 1 - sure], axis=1), labels).error(np.ones(20_000))

    assert error < 0.02
