"""Linear probes: what a few or many labelled examples make of a model's picture vectors."""

import numpy as np
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from medpipe.genmedclip.judging.contract import Doubles, Floats, Ints
from medpipe.genmedclip.judging.metrics import Flags
from medpipe.records import Record

_STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
_FEW_SHOT_STRENGTH = 10.0
_HELD_BACK = 0.2


class ProbeConfig(Record):
    """How linear probes learn."""

    shots: tuple[int, ...] = Field((1, 2, 4, 8, 16), description="Examples a class.")
    seeds: int = Field(5, ge=1, description="Draws of the few examples.")
    max_rows: int = Field(20_000, ge=10, description="Most training rows; more are sampled.")


def probe_scores(
    train: Floats, labels: Ints, groups: Ints, test: Floats, classes: int, config: ProbeConfig
) -> Doubles:
    """(n, classes) log odds of a probe on all of the training split.

    Regularisation is chosen on a fifth of the training groups; the test set has no say in it.
    """
    random = np.random.default_rng(0)
    if len(train) > config.max_rows:
        kept = np.sort(random.choice(len(train), config.max_rows, replace=False))
        train, labels, groups = train[kept], labels[kept], groups[kept]
    held = np.isin(groups, _fifth(np.unique(groups), random))
    strength = 1.0
    if len(np.unique(labels[~held])) > 1 and held.any():
        right = [
            float(
                np.mean(_fit(train[~held], labels[~held], c).predict(train[held]) == labels[held])
            )
            for c in _STRENGTHS
        ]
        strength = _STRENGTHS[int(np.argmax(right))]
    return _log_odds(_fit(train, labels, strength), test, classes)


def few_shot_scores(
    train: Floats, labels: Ints, test: Floats, classes: int, shots: int, seed: int
) -> Doubles | None:
    """(n, classes) log odds of a probe on so many examples a class; None if a class has fewer."""
    random = np.random.default_rng(seed)
    picked: list[int] = []
    for c in np.unique(labels):
        own = np.nonzero(labels == c)[0]
        if len(own) < shots:
            return None
        picked += random.choice(own, shots, replace=False).tolist()
    if len(np.unique(labels)) < 2:
        return None
    chosen = np.array(picked, np.int64)
    return _log_odds(_fit(train[chosen], labels[chosen], _FEW_SHOT_STRENGTH), test, classes)


def multi_label_scores(
    train: Floats, positive: Flags, test: Floats, config: ProbeConfig
) -> Doubles:
    """(n, classes) log odds of one probe a class; 0 where training shows only one side."""
    if len(train) > config.max_rows:
        kept = np.random.default_rng(0).choice(len(train), config.max_rows, replace=False)
        train, positive = train[kept], positive[kept]
    scores = np.zeros((len(test), positive.shape[1]))
    for c in range(positive.shape[1]):
        if 0 < positive[:, c].sum() < len(positive):
            fitted = _fit(train, positive[:, c].astype(np.int64), _FEW_SHOT_STRENGTH)
            scores[:, c] = fitted.decision_function(test)
    return scores


def _fifth(groups: Ints, random: np.random.Generator) -> Ints:
    return random.choice(groups, max(1, round(len(groups) * _HELD_BACK)), replace=False)


def _fit(vectors: Floats, labels: Ints, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000).fit(vectors, labels)


def _log_odds(fitted: LogisticRegression, test: Floats, classes: int) -> Doubles:
    """By position of class; classes that training lacks come last."""
    known = fitted.predict_log_proba(test)
    scores = np.full((len(test), classes), known.min() - 1.0)
    scores[:, fitted.classes_] = known
    return scores
