"""Figures of a classifier as functions of example weights, so that a bootstrap can re-weigh them.

Weights are how often each example counts; all ones give the plain figure. Where a figure is
not defined (no example of a class), it is NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medpipe.genmedclip.judging.contract import Doubles, Ints

Flags = NDArray[np.bool_]
_BINS = 15


class Choices(NamedTuple):
    """What a classifier chose; where classes tie, each gets its part of the choice.

    Attributes:
        example: (m,) position of the example.
        chosen: (m,) position of the class.
        part: (m,) share of the choice; those of an example sum to 1.
    """

    example: Ints
    chosen: Ints
    part: Doubles


def choices(scores: Doubles) -> Choices:
    """The best class of each row of (n, classes) scores."""
    best = scores >= scores.max(axis=1, keepdims=True)
    example, chosen = np.nonzero(best)
    return Choices(example, chosen, 1 / best.sum(axis=1)[example])


def confusion(labels: Ints, chosen: Choices, classes: int, weights: Doubles) -> Doubles:
    """(classes, classes): weight of true class (row) given as class (column)."""
    cell = labels[chosen.example] * classes + chosen.chosen
    weight = weights[chosen.example] * chosen.part
    counts = np.bincount(cell, weight, classes * classes)
    return np.asarray(counts, np.float64).reshape(classes, classes)


def accuracy(matrix: Doubles) -> float:
    """Share of examples given their class."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def balanced_accuracy(matrix: Doubles) -> float:
    """Mean over the classes that occur of the share given their class."""
    of_class = matrix.sum(axis=1)
    there = of_class > 0
    return float(np.mean(np.diag(matrix)[there] / of_class[there])) if there.any() else float("nan")


def macro_f1(matrix: Doubles) -> float:
    """Mean F1 over the classes that occur or were given."""
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    there = both > 0
    return float(np.mean(2 * np.diag(matrix)[there] / both[there])) if there.any() else float("nan")


class Ranking:
    """Examples in the order of one score, sorted once and re-weighed many times."""

    def __init__(self, scores: Doubles, positive: Flags) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._positive = positive[self._order]
        # Last place of each run of equal scores: within a run no order is known.
        self._ends = np.append(np.nonzero(np.diff(ordered))[0], len(ordered) - 1)

    def _counts(self, weights: Doubles) -> tuple[Doubles, Doubles]:
        ordered = weights[self._order]
        true = np.cumsum(np.where(self._positive, ordered, 0.0))[self._ends]
        return true, np.cumsum(ordered)[self._ends] - true

    def auroc(self, weights: Doubles) -> float:
        """Chance that a positive scores above a negative; ties count half."""
        true, false = self._counts(weights)
        if not true[-1] or not false[-1]:
            return float("nan")
        heights = true + np.concatenate([[0.0], true[:-1]])
        return float(np.sum(np.diff(false, prepend=0.0) * heights) / (2 * true[-1] * false[-1]))

    def average_precision(self, weights: Doubles) -> float:
        """Mean precision at the positives, runs of equal scores taken as one step."""
        true, false = self._counts(weights)
        if not true[-1]:
            return float("nan")
        found = true + false
        precision = np.divide(true, found, out=np.ones_like(true), where=found > 0)
        return float(np.sum(np.diff(true, prepend=0.0) * precision) / true[-1])


class Rankings:
    """One ranking a class; figures are means over the classes where they are defined."""

    def __init__(self, scores: Doubles, positive: Flags) -> None:
        self.classes = [Ranking(scores[:, c], positive[:, c]) for c in range(scores.shape[1])]

    def auroc(self, weights: Doubles) -> float:
        """Macro AUROC, one class against the rest."""
        return _mean([ranking.auroc(weights) for ranking in self.classes])

    def mean_average_precision(self, weights: Doubles) -> float:
        """Macro average precision."""
        return _mean([ranking.average_precision(weights) for ranking in self.classes])


class Calibration:
    """How far confidence is from being right, in bins of equal width."""

    def __init__(self, probabilities: Doubles, labels: Ints) -> None:
        chosen = choices(probabilities)
        self._confidence = probabilities.max(axis=1)
        hit = chosen.part * (labels[chosen.example] == chosen.chosen)
        self._right = np.bincount(chosen.example, hit, len(labels))
        self._bin = np.minimum((self._confidence * _BINS).astype(np.int64), _BINS - 1)

    def bins(self, weights: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """(bins,) each: weight, mean confidence, share right; the means are NaN where empty."""
        weight = np.bincount(self._bin, weights, _BINS).astype(np.float64)
        sums = (
            np.bincount(self._bin, weights * values, _BINS)
            for values in (self._confidence, self._right)
        )
        empty = np.full(_BINS, np.nan)
        confidence, right = (np.divide(s, weight, out=empty.copy(), where=weight > 0) for s in sums)
        return weight, confidence, right

    def error(self, weights: Doubles) -> float:
        """Expected calibration error."""
        weight, confidence, right = self.bins(weights)
        there = weight > 0
        if not there.any():
            return float("nan")
        gaps = np.abs(confidence[there] - right[there])
        return float(np.sum(weight[there] * gaps) / weight.sum())


def softmax(logits: Doubles) -> Doubles:
    """Rows of (n, classes) as probabilities."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _mean(values: list[float]) -> float:
    known = [v for v in values if v == v]
    return float(np.mean(known)) if known else float("nan")
