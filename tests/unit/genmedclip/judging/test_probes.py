"""Linear probes learn what vectors hold, from the training split alone."""

import numpy as np
import pytest

from medpipe.genmedclip.judging.probes import (
    ProbeConfig,
    few_shot_scores,
    multi_label_scores,
    probe_scores,
)


def clouds(n: int, seed: int, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in 8 dimensions, unit vectors."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows = 2 * np.eye(8)[labels] + random.normal(0, spread, (n, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def right(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def test_a_probe_separates_what_can_be_separated() -> None:
    train, labels = clouds(300, 0)
    test, truth = clouds(200, 1)

    scores = probe_scores(train, labels, np.arange(300), test, 3, ProbeConfig())

    assert right(scores, truth) > 0.95
    assert np.exp(scores).sum(axis=1) == pytest.approx(1)


def test_a_probe_finds_nothing_where_nothing_is() -> None:
    train, labels = clouds(300, 0)
    test, truth = clouds(300, 1)
    shuffled = np.random.default_rng(2).permutation(labels)

    scores = probe_scores(train, shuffled, np.arange(300), test, 3, ProbeConfig())

    assert right(scores, truth) < 0.6


def test_more_examples_make_a_better_probe() -> None:
    train, labels = clouds(300, 0, spread=1.1)
    test, truth = clouds(600, 1, spread=1.1)

    def mean(shots: int) -> float:
        found = (few_shot_scores(train, labels, test, 3, shots, seed) for seed in range(8))
        return float(np.mean([right(scores, truth) for scores in found if scores is not None]))

    assert mean(1) < mean(4) < mean(16)


def test_too_few_examples_make_no_probe() -> None:
    train, labels = clouds(9, 0)

    assert few_shot_scores(train, labels, train, 3, 4, 0) is None


def test_a_class_that_training_lacks_is_named_last() -> None:
    train, labels = clouds(300, 0)
    kept = labels != 1

    scores = probe_scores(train[kept], labels[kept], np.arange(kept.sum()), train, 3, ProbeConfig())

    assert set(scores.argmax(axis=1)) == {0, 2}
    assert np.isfinite(scores).all()


def test_the_same_draw_gives_the_same_probe() -> None:
    train, labels = clouds(60, 0)

    first, again, other = (few_shot_scores(train, labels, train, 3, 2, s) for s in (5, 5, 6))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_classes_together_are_learned_one_by_one() -> None:
    train, labels = clouds(300, 0)
    test, truth = clouds(200, 1)
    positive = np.stack([labels == 0, labels != 1, np.zeros(300, bool)], axis=1)

    scores = multi_label_scores(train, positive, test, ProbeConfig(max_rows=150))

    assert np.mean((scores[:, 0] > 0) == (truth == 0)) > 0.95
    assert np.mean((scores[:, 1] > 0) == (truth != 1)) > 0.95
    assert not scores[:, 2].any()


def test_a_faint_signal_under_a_common_class_is_found_by_choosing_the_strength() -> None:
    def faint(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = (np.arange(n) % 10 == 0).astype(int)
        rows = np.eye(1, 4) + 0.05 * np.outer(2 * labels - 1, np.eye(4)[1])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels

    train, labels = faint(300)
    test, truth = faint(100)

    scores = probe_scores(train, labels, np.arange(300), test, 2, ProbeConfig())

    # Weakly fitted, a probe names the common class nine times of ten and stops there.
    assert right(scores, truth) == 1
