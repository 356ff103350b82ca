"""How sure a figure is: Wilson's interval, the (clustered) bootstrap and paired tests."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medpipe.genmedclip.judging.contract import Doubles, Ints

Measure = Callable[[Doubles], float]
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model did on a test set: figures that can be computed under any weights.

    Attributes:
        measures: By name: weights of the n examples -> figure.
        groups: (n,) number of the group of each example; examples of a group are no
            independent witnesses and are drawn together.
    """

    measures: Mapping[str, Measure]
    groups: Ints

    @property
    def grouped(self) -> bool:
        """Whether any two examples belong together."""
        return len(np.unique(self.groups)) < len(self.groups)


def group_numbers(groups: Sequence[str | None]) -> Ints:
    """Number the groups; an example without a group is one of its own."""
    known: dict[object, int] = {}
    named = ((i, None) if g is None else g for i, g in enumerate(groups))
    return np.array([known.setdefault(name, len(known)) for name in named], np.int64)


def resamples(groups: Ints, rounds: int, seed: int) -> Iterator[Doubles]:
    """Weights of bootstrap samples: groups drawn with replacement, as many as there are.

    The same groups and seed give the same weights, so models judged apart stay paired.
    """
    random = np.random.default_rng(seed)
    count = int(groups.max()) + 1 if len(groups) else 0
    for _ in range(rounds):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)
        yield drawn[groups].astype(np.float64)


def replicates(
    outcome: Outcome, rounds: int, seed: int, names: Sequence[str] | None = None
) -> dict[str, Doubles]:
    """(rounds,) values of measures (None: of all) over bootstrap samples."""
    values: dict[str, list[float]] = {name: [] for name in names or outcome.measures}
    for weights in resamples(outcome.groups, rounds, seed):
        for name, found in values.items():
            found.append(outcome.measures[name](weights))
    return {name: np.array(v, np.float64) for name, v in values.items()}


def percentile_interval(values: Doubles) -> tuple[float, float]:
    """The middle 95 % of the bootstrap; NaN where nothing is defined."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n independent examples."""
    if n <= 0:
        return float("nan"), float("nan")
    share, z2 = hits / n, _Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_p(differences: Doubles) -> float:
    """Two-sided p of no difference, from paired bootstrap differences.

    Source:
        Davison and Hinkley (1997): counts plus one, so that p is never 0.
    """
    known = differences[~np.isnan(differences)]
    below, above = int((known <= 0).sum()), int((known >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (len(known) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for how many were looked at (Holm, 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = worst
    return corrected
