"""Runs one task of one model on one test set: from stored vectors to figures and details."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from medpipe.errors import Rejected
from medpipe.genmedclip.judging import grounding, retrieval, zero_shot
from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.contract import Doubles, Embedder, Ints, logit_scale
from medpipe.genmedclip.judging.embeddings import Embedded, embed_texts
from medpipe.genmedclip.judging.heat import scored_regions
from medpipe.genmedclip.judging.intervals import Outcome, group_numbers
from medpipe.genmedclip.judging.metrics import Flags
from medpipe.genmedclip.judging.sources import TestSet
from medpipe.genmedclip.judging.zero_shot import Classified


@dataclass(frozen=True, slots=True)
class Task:
    """A test set under judgement.

    Attributes:
        test: The files.
        embedded: Its pictures as the models see them.
        kept: Positions of the pictures that did not leak.
        cache: Of embeddings.
        batch: Pictures a model is given at a time.
    """

    test: TestSet
    embedded: Embedded
    kept: Ints
    cache: Cache
    batch: int

    def groups(self, rows: Ints) -> Ints:
        """Group of each of some pictures."""
        return group_numbers([self.embedded.facts[i].example.group for i in rows])

    def labels(self, rows: Ints) -> Ints:
        """True class of each of some pictures."""
        return np.array([self.embedded.facts[i].example.labels[0] for i in rows], np.int64)

    def positive(self, rows: Ints) -> Flags:
        """(n, classes) which classes each of some pictures has."""
        found = np.zeros((len(rows), len(self.test.spec.classes)), bool)
        for row, i in enumerate(rows):
            found[row, list(self.embedded.facts[i].example.labels)] = True
        return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model did on some pictures of a test set.

    Attributes:
        outcome: Its figures under any weights.
        n: Units that weights belong to.
        chance: What guessing gets.
        majority: What naming the commonest class gets.
        centre: What looking at the middle gets.
        classified: For tasks with classes.
        by_template: Cosines with each template alone, in the spec's order.
        threshold: For grounding.
        texts: For retrieval: distinct texts in the pool.
    """

    outcome: Outcome
    n: int
    chance: dict[str, float]
    majority: dict[str, float] = field(default_factory=dict)
    centre: dict[str, float] = field(default_factory=dict)
    classified: Classified | None = None
    by_template: list[Doubles] = field(default_factory=list)
    threshold: float | None = None
    texts: int | None = None


def run(task: Task, model: Embedder, rows: Ints) -> Verdict:
    """Judge a model on some pictures of a test set.

    Raises:
        Rejected: The files changed under the judge.
    """
    steps: dict[str, Callable[[Task, Embedder, Ints], Verdict]] = {
        "zero_shot": _zero_shot,
        "multi_label": _multi_label,
        "retrieval": _retrieval,
        "grounding": _grounding,
    }
    return steps[task.test.spec.task](task, model, rows)


def classified(
    task: Task, model: Embedder, scores: Doubles, rows: Ints, scale: float | None = None
) -> Classified:
    """Judge scores of the classes for some pictures, by the task's own rules.

    Args:
        task: The test set.
        model: Whose logit scale makes probabilities of the scores.
        scores: (n, classes).
        rows: Positions of the n pictures.
        scale: Instead of the model's, where the scores are log odds already.
    """
    if task.test.spec.task == "multi_label":
        return zero_shot.rank(scores, task.positive(rows), task.groups(rows))
    return zero_shot.classify(
        scores, task.labels(rows), task.groups(rows), scale or logit_scale(model)
    )


def _zero_shot(task: Task, model: Embedder, rows: Ints) -> Verdict:
    spec, images = task.test.spec, task.embedded.images[model.name][rows]
    together, alone = zero_shot.class_scores(model, spec, images, task.cache)
    labels, classes = task.labels(rows), len(spec.classes)
    found = classified(task, model, together, rows)
    return Verdict(
        found.outcome,
        len(rows),
        zero_shot.chance_of_choice(labels, classes),
        zero_shot.majority_choice(labels, classes),
        classified=found,
        by_template=alone,
    )


def _multi_label(task: Task, model: Embedder, rows: Ints) -> Verdict:
    images = task.embedded.images[model.name][rows]
    together, alone = zero_shot.class_scores(model, task.test.spec, images, task.cache)
    found = classified(task, model, together, rows)
    chance = zero_shot.chance_of_ranking(task.positive(rows))
    return Verdict(found.outcome, len(rows), chance, classified=found, by_template=alone)


def _retrieval(task: Task, model: Embedder, rows: Ints) -> Verdict:
    pairs = retrieval.pair([task.embedded.facts[i].example.texts for i in rows])
    if not pairs.texts:
        raise Rejected("nothing_usable", f"{task.test.spec.name}: no picture has a text")
    images = task.embedded.images[model.name][rows]
    texts = embed_texts(model, pairs.texts, task.cache)
    outcome = retrieval.retrieve(images, texts, pairs, task.groups(rows))
    chance = retrieval.chance_of_retrieval(pairs)
    return Verdict(outcome, len(rows), chance, texts=len(pairs.texts))


def _grounding(task: Task, model: Embedder, rows: Ints) -> Verdict:
    pointed, owner = scored_regions(task.test, task.embedded, model, task.cache, task.batch)
    chosen = np.nonzero(np.isin(owner, rows))[0]
    if not len(chosen):
        raise Rejected("nothing_usable", f"{task.test.spec.name}: every region leaked")
    pointed = pointed.take(chosen)
    groups = group_numbers(
        [
            # Regions of one picture are no independent witnesses.
            _region_group(task, int(i))
            for i in owner[chosen]
        ]
    )
    masks = [
        grounding.mask_of(region) for i in rows for region in task.embedded.facts[i].example.regions
    ]
    centre = grounding.score([grounding.centre_map()] * len(masks), masks)
    ones = np.ones(len(masks))
    middle = grounding.judge_regions(centre, groups)
    return Verdict(
        grounding.judge_regions(pointed, groups),
        len(chosen),
        grounding.chance_of_grounding(pointed),
        centre={name: measure(ones) for name, measure in middle.measures.items()},
        threshold=grounding.best_threshold(pointed),
    )


def _region_group(task: Task, row: int) -> str:
    """The group of a picture's regions: the picture's own group, or the picture."""
    example = task.embedded.facts[row].example
    return f"picture {row}" if example.group is None else f"group {example.group}"
