"""Sums up: intervals of each figure, means over domains, and who is better than whom."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpipe.genmedclip.judging.contract import Doubles
from medpipe.genmedclip.judging.intervals import (
    Outcome,
    holm,
    paired_p,
    percentile_interval,
    wilson,
)
from medpipe.genmedclip.judging.registry import METRICS, DatasetSpec, Suite, Task
from medpipe.genmedclip.judging.results import Comparison, DomainMean, Figure, Method, known
from medpipe.records import Domain

TWELVE = tuple(d for d in Domain if d is not Domain.OTHER)


@dataclass(frozen=True, slots=True)
class Scored:
    """A model's figures on one test set, with what the bootstrap made of them.

    Attributes:
        values: By metric.
        rounds: By metric: (rounds,) values over the same resamples for every model.
    """

    model: str
    spec: DatasetSpec
    values: dict[str, float]
    rounds: dict[str, Doubles]


def dataset_seed(seed: int, dataset: str) -> int:
    """A seed of its own for each test set, the same for every model."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{dataset}".encode()).digest()[:4], "big")


def figures_of(outcome: Outcome, n: int, scored: Scored) -> dict[str, Figure]:
    """Every figure with its interval.

    Wilson's for accuracy where examples are independent, the bootstrap's elsewhere.
    """
    grouped = outcome.grouped
    figures = {}
    for name, value in scored.values.items():
        method: Method = "clustered bootstrap" if grouped else "bootstrap"
        low, high = percentile_interval(scored.rounds[name])
        if name == "accuracy" and not grouped:
            method = "wilson"
            low, high = wilson(value * n, n)
        figures[name] = Figure(value=known(value), low=known(low), high=known(high), method=method)
    return figures


def domain_means(suite: Suite, models: Sequence[str], scored: Sequence[Scored]) -> list[DomainMean]:
    """Means over the test sets of each domain, then over the domains that have one.

    What is not present takes no part, and the counts say so.
    """
    rows: list[DomainMean] = []
    tasks = sorted({d.task for d in suite.datasets}, key=list(METRICS).index)
    for model, task in itertools.product(models, tasks):
        metric, of_domains = METRICS[task][0], []
        for domain in TWELVE:
            listed = sum(d.domain is domain and d.task == task for d in suite.datasets)
            there = _of(scored, model, task, domain)
            mean = _mean([(s.values[metric], s.rounds[metric]) for s in there])
            if mean is not None:
                of_domains.append(mean)
            rows.append(_row(model, domain, task, mean, len(there), listed))
        rows.append(_row(model, None, task, _mean(of_domains), len(of_domains), len(TWELVE)))
    return rows


def comparisons(suite: Suite, models: Sequence[str], scored: Sequence[Scored]) -> list[Comparison]:
    """Every pair of models on every test set and over domains, by paired bootstrap."""
    rows: list[Comparison] = []
    for first, second in itertools.combinations(models, 2):
        pairs = [
            (a, b)
            for a in scored
            for b in scored
            if a.model == first and b.model == second and a.spec.name == b.spec.name
        ]
        found = [_compared(a, b, a.spec.primary_metric) for a, b in pairs]
        corrected = holm([c.p for c in found])
        rows += [c.model_copy(update={"p_holm": p}) for c, p in zip(found, corrected, strict=True)]
        for task in dict.fromkeys(d.task for d in suite.datasets):
            a, b = (_macro(scored, model, task) for model in (first, second))
            if a is not None and b is not None:
                metric = METRICS[task][0]
                rows.append(_difference(first, second, None, task, metric, a, b))
    return rows


Mean = tuple[float, Doubles]


def _macro(scored: Sequence[Scored], model: str, task: Task) -> Mean | None:
    metric = METRICS[task][0]
    means = [
        _mean([(s.values[metric], s.rounds[metric]) for s in _of(scored, model, task, domain)])
        for domain in TWELVE
    ]
    return _mean([mean for mean in means if mean is not None])


def _of(scored: Sequence[Scored], model: str, task: Task, domain: Domain) -> list[Scored]:
    return [
        s for s in scored if s.model == model and s.spec.task == task and s.spec.domain is domain
    ]


def _mean(parts: Sequence[Mean]) -> Mean | None:
    """Means of values and of their resamples; None of nothing."""
    defined = [part for part in parts if part[0] == part[0]]
    if not defined:
        return None
    values, rounds = zip(*defined, strict=True)
    return float(np.mean(values)), np.mean(np.stack(rounds), axis=0)


def _row(
    model: str, domain: Domain | None, task: Task, mean: Mean | None, present: int, listed: int
) -> DomainMean:
    return DomainMean(
        model=model,
        domain=domain,
        task=task,
        metric=METRICS[task][0],
        figure=None if mean is None else _figure(*mean),
        present=present,
        listed=listed,
    )


def _figure(value: float, rounds: Doubles) -> Figure:
    low, high = percentile_interval(rounds)
    return Figure(value=known(value), low=known(low), high=known(high), method="bootstrap")


def _compared(a: Scored, b: Scored, metric: str) -> Comparison:
    one, two = ((s.values[metric], s.rounds[metric]) for s in (a, b))
    return _difference(a.model, b.model, a.spec.name, a.spec.task, metric, one, two)


def _difference(
    first: str, second: str, dataset: str | None, task: Task, metric: str, a: Mean, b: Mean
) -> Comparison:
    rounds = b[1] - a[1]
    return Comparison(
        first=first,
        second=second,
        dataset=dataset,
        task=task,
        metric=metric,
        difference=_figure(b[0] - a[0], rounds),
        p=paired_p(rounds),
    )
