"""Looks behind a figure: classes, confusions, calibration, wording and linear probes."""

import numpy as np

from medpipe.genmedclip.judging.contract import Doubles, Embedder, Ints
from medpipe.genmedclip.judging.embeddings import Embedded, embed
from medpipe.genmedclip.judging.intervals import (
    group_numbers,
    percentile_interval,
    replicates,
)
from medpipe.genmedclip.judging.metrics import choices, confusion
from medpipe.genmedclip.judging.probes import (
    ProbeConfig,
    few_shot_scores,
    multi_label_scores,
    probe_scores,
)
from medpipe.genmedclip.judging.results import (
    Bin,
    ClassFigure,
    Confusion,
    ProbeFigure,
    TemplateFigure,
    known,
)
from medpipe.genmedclip.judging.tasks import Task, Verdict, classified
from medpipe.genmedclip.judging.zero_shot import Classified

_CONFUSIONS = 5
_EXAMPLES = 3


def class_figures(task: Task, found: Classified, rows: Ints) -> tuple[ClassFigure, ...]:
    """Recall (one class a picture) and AUROC of every class."""
    ones, positive = np.ones(len(rows)), task.positive(rows)
    names = [c.name for c in task.test.spec.classes]
    recalls: list[float | None] = [None] * len(names)
    if task.test.spec.task == "zero_shot":
        matrix = confusion(task.labels(rows), choices(found.scores), len(names), ones)
        totals = matrix.sum(axis=1)
        recalls = [
            float(matrix[c, c] / totals[c]) if totals[c] else None for c in range(len(names))
        ]
    return tuple(
        ClassFigure(
            name=name,
            n=int(positive[:, c].sum()),
            recall=recalls[c],
            auroc=known(found.rankings.classes[c].auroc(ones)),
        )
        for c, name in enumerate(names)
    )


def confusions(task: Task, found: Classified, rows: Ints) -> tuple[Confusion, ...]:
    """The pairs of classes most often confused, by share of the true class."""
    labels, names = task.labels(rows), [c.name for c in task.test.spec.classes]
    chosen = choices(found.scores)
    matrix = confusion(labels, chosen, len(names), np.ones(len(rows)))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0.0)
    worst = np.argsort(-shares, axis=None, kind="stable")[:_CONFUSIONS]
    first = np.zeros(len(rows), np.int64)
    first[chosen.example[::-1]] = chosen.chosen[::-1]
    result = []
    for true, given in zip(*np.unravel_index(worst, shares.shape), strict=True):
        if not shares[true, given]:
            continue
        wrong = np.nonzero((labels == true) & (first == given))[0]
        surest = wrong[np.argsort(-found.scores[wrong, given], kind="stable")][:_EXAMPLES]
        result.append(
            Confusion(
                true=names[true],
                given=names[given],
                share=float(shares[true, given]),
                count=float(matrix[true, given]),
                examples=tuple(task.embedded.facts[rows[i]].example.id for i in surest),
            )
        )
    return tuple(result)


def reliability(found: Classified, n: int) -> tuple[Bin, ...]:
    """Bins of confidence against share right."""
    if found.calibration is None:
        return ()
    weight, confidence, right = found.calibration.bins(np.ones(n))
    return tuple(
        Bin(weight=float(w), confidence=known(c), right=known(r))
        for w, c, r in zip(weight, confidence, right, strict=True)
    )


def by_template(
    task: Task, model: Embedder, verdict: Verdict, rows: Ints
) -> tuple[tuple[TemplateFigure, ...], float | None]:
    """The primary metric of each template alone, and their standard deviation."""
    spec, ones = task.test.spec, np.ones(len(rows))
    values = [
        classified(task, model, scores, rows).outcome.measures[spec.primary_metric](ones)
        for scores in verdict.by_template
    ]
    figures = tuple(
        TemplateFigure(template=t, value=known(v))
        for t, v in zip(spec.templates, values, strict=True)
    )
    return figures, known(float(np.std(values, ddof=1))) if len(values) > 1 else None


def probes(
    task: Task, model: Embedder, rows: Ints, config: ProbeConfig, rounds: int, seed: int
) -> tuple[ProbeFigure, ...]:
    """Linear and few-shot probes, where the source names a split to learn from.

    Raises:
        Rejected: The training split cannot be read.
    """
    split = task.test.spec.source.train_split
    if split is None or not task.test.spec.classes:
        return ()
    train = embed(task.test, split, [model], task.cache, task.batch)
    if task.test.spec.task == "multi_label":
        scores = multi_label_scores(
            train.images[model.name],
            _positive(train, len(task.test.spec.classes)),
            task.embedded.images[model.name][rows],
            config,
        )
        return (_linear(task, model, scores, rows, rounds, seed),)
    labels = np.array([f.example.labels[0] for f in train.facts], np.int64)
    if len(np.unique(labels)) < 2:
        return ()
    groups = group_numbers([f.example.group for f in train.facts])
    test, classes = task.embedded.images[model.name][rows], len(task.test.spec.classes)
    scores = probe_scores(train.images[model.name], labels, groups, test, classes, config)
    linear = _linear(task, model, scores, rows, rounds, seed)
    few = (_few_shot(task, model, train, labels, rows, k, config.seeds) for k in config.shots)
    return (linear, *(f for f in few if f is not None))


def _linear(
    task: Task, model: Embedder, scores: Doubles, rows: Ints, rounds: int, seed: int
) -> ProbeFigure:
    metric = task.test.spec.primary_metric
    outcome = classified(task, model, scores, rows, scale=1.0).outcome
    low, high = percentile_interval(replicates(outcome, rounds, seed, [metric])[metric])
    value = outcome.measures[metric](np.ones(len(rows)))
    return ProbeFigure(shots=None, value=known(value), low=known(low), high=known(high))


def _few_shot(
    task: Task,
    model: Embedder,
    train: Embedded,
    labels: Ints,
    rows: Ints,
    shots: int,
    seeds: int,
) -> ProbeFigure | None:
    spec, values = task.test.spec, []
    for seed in range(seeds):
        scores = few_shot_scores(
            train.images[model.name],
            labels,
            task.embedded.images[model.name][rows],
            len(spec.classes),
            shots,
            seed,
        )
        if scores is None:
            return None
        measures = classified(task, model, scores, rows, scale=1.0).outcome.measures
        values.append(measures[spec.primary_metric](np.ones(len(rows))))
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return ProbeFigure(shots=shots, value=known(float(np.mean(values))), std=std, seeds=seeds)


def _positive(train: Embedded, classes: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    found = np.zeros((len(train.facts), classes), bool)
    for row, facts in enumerate(train.facts):
        found[row, list(facts.example.labels)] = True
    return found
