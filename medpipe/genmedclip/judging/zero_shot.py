"""Classifies pictures by prompts alone, and says how much the wording matters."""

from dataclasses import dataclass

import numpy as np

from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.contract import Doubles, Embedder, Floats, Ints
from medpipe.genmedclip.judging.embeddings import embed_texts
from medpipe.genmedclip.judging.intervals import Outcome
from medpipe.genmedclip.judging.metrics import (
    Calibration,
    Flags,
    Rankings,
    accuracy,
    balanced_accuracy,
    choices,
    confusion,
    macro_f1,
    softmax,
)
from medpipe.genmedclip.judging.registry import ClassSpec, DatasetSpec


@dataclass(frozen=True, slots=True)
class Prompts:
    """A model's idea of the classes.

    Attributes:
        together: (classes, d) unit vectors over all templates.
        alone: (templates, classes, d) unit vectors of each template.
    """

    together: Floats
    alone: Floats


@dataclass(frozen=True, slots=True)
class Classified:
    """How a classifier did on a test set.

    Attributes:
        outcome: Its figures under any weights.
        scores: (n, classes): probabilities for `zero_shot`, rankable scores for `multi_label`.
        rankings: One a class.
        calibration: For `zero_shot`.
    """

    outcome: Outcome
    scores: Doubles
    rankings: Rankings
    calibration: Calibration | None


def prompts_of(
    model: Embedder, classes: tuple[ClassSpec, ...], templates: tuple[str, ...], cache: Cache
) -> Prompts:
    """Embed every class in every template; a class is the mean of its prompts, as in CLIP."""
    texts = [t.replace("{}", word) for t in templates for c in classes for word in c.words]
    vectors = embed_texts(model, texts, cache).astype(np.float64)
    of_class = np.repeat(np.arange(len(classes)), [len(c.words) for c in classes])
    per_template = vectors.reshape(len(templates), len(of_class), -1)
    alone = np.stack(
        [per_template[:, of_class == c].mean(axis=1) for c in range(len(classes))], axis=1
    )
    return Prompts(_unit(_unit(alone).mean(axis=0)), _unit(alone))


def class_scores(
    model: Embedder, spec: DatasetSpec, images: Floats, cache: Cache
) -> tuple[Doubles, list[Doubles]]:
    """Cosines with the classes: by all templates, and by each one alone.

    With negative templates, what speaks for absence is taken off.

    Returns:
        (n, classes), and the same for each template.
    """
    present = prompts_of(model, spec.classes, spec.templates, cache)
    together = _cosines(images, present.together)
    alone = [_cosines(images, vectors) for vectors in present.alone]
    if spec.task == "multi_label" and spec.negative_templates:
        absent = prompts_of(model, spec.classes, spec.negative_templates, cache).together
        against = _cosines(images, absent)
        together, alone = together - against, [scores - against for scores in alone]
    return together, alone


def classify(cosines: Doubles, labels: Ints, groups: Ints, scale: float) -> Classified:
    """Judge a choice of one class.

    Args:
        cosines: (n, classes).
        labels: (n,) position of the true class.
        groups: (n,) as in `Outcome`.
        scale: What cosines are multiplied by before the softmax.
    """
    classes = cosines.shape[1]
    chosen = choices(cosines)
    probabilities = softmax(cosines * scale)
    rankings = Rankings(probabilities, np.eye(classes, dtype=bool)[labels])
    calibration = Calibration(probabilities, labels)

    def matrix(weights: Doubles) -> Doubles:
        return confusion(labels, chosen, classes, weights)

    measures = {
        "balanced_accuracy": lambda w: balanced_accuracy(matrix(w)),
        "accuracy": lambda w: accuracy(matrix(w)),
        "macro_f1": lambda w: macro_f1(matrix(w)),
        "auroc": rankings.auroc,
        "map": rankings.mean_average_precision,
        "ece": calibration.error,
    }
    return Classified(Outcome(measures, groups), probabilities, rankings, calibration)


def rank(scores: Doubles, positive: Flags, groups: Ints) -> Classified:
    """Judge a ranking for each of several classes that may occur together.

    Args:
        scores: (n, classes).
        positive: (n, classes), which are there.
        groups: (n,) as in `Outcome`.
    """
    rankings = Rankings(scores, positive)
    measures = {"auroc": rankings.auroc, "map": rankings.mean_average_precision}
    return Classified(Outcome(measures, groups), scores, rankings, None)


def chance_of_choice(labels: Ints, classes: int) -> dict[str, float]:
    """What guessing every class alike gets; `ece` has no such figure."""
    prevalence = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    occurring = prevalence[prevalence > 0]
    return {
        "balanced_accuracy": 1 / classes,
        "accuracy": 1 / classes,
        "auroc": 0.5,
        "map": float(occurring.mean()),
    }


def majority_choice(labels: Ints, classes: int) -> dict[str, float]:
    """What always naming the commonest class gets."""
    counts = np.bincount(labels, minlength=classes)
    same = np.zeros((len(labels), classes))
    same[:, int(np.argmax(counts))] = 1.0
    matrix = confusion(labels, choices(same), classes, np.ones(len(labels)))
    return {
        "balanced_accuracy": balanced_accuracy(matrix),
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "auroc": 0.5,
    }


def chance_of_ranking(positive: Flags) -> dict[str, float]:
    """What a random order gets."""
    prevalence = positive.mean(axis=0)
    occurring = prevalence[prevalence > 0]
    return {"auroc": 0.5} | ({"map": float(occurring.mean())} if len(occurring) else {})


def _cosines(images: Floats, vectors: Floats) -> Doubles:
    return np.asarray(images @ vectors.astype(np.float32).T, np.float64)


def _unit(vectors: Doubles) -> Floats:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)
