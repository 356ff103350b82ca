"""What judging found, as records that become report.json word for word."""

from typing import Literal

from medpipe.genmedclip.judging.registry import Task
from medpipe.records import Domain, Record

Method = Literal["wilson", "bootstrap", "clustered bootstrap"]


class Figure(Record):
    """A figure with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: Method | None = None


class TemplateFigure(Record):
    """The dataset's primary metric with one prompt template alone."""

    template: str
    value: float | None


class ProbeFigure(Record):
    """The primary metric of a linear probe; `std` is over the draws of few examples."""

    shots: int | None
    value: float | None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 1


class ClassFigure(Record):
    """How one class fared."""

    name: str
    n: int
    recall: float | None = None
    auroc: float | None = None


class Confusion(Record):
    """A class that was taken for another.

    Attributes:
        share: Of the true class.
        examples: Ids of the pictures it was surest about.
    """

    true: str
    given: str
    share: float
    count: float
    examples: tuple[str, ...]


class Bin(Record):
    """A bin of the reliability diagram."""

    weight: float
    confidence: float | None
    right: float | None


class Judged(Record):
    """One model on one test set.

    Attributes:
        n: Units judged: pictures, or regions for grounding; leaked ones are out.
        texts: For retrieval: distinct texts in the pool.
        figures: Without leaked pictures.
        with_leaked: With them; empty where none leaked.
        chance: What guessing gets.
        majority: What naming the commonest class gets.
        centre: For grounding: what always looking at the middle gets.
        threshold: For grounding: the one behind `iou_best`.
        notes: What could not be done, for people.
    """

    model: str
    dataset: str
    domain: Domain
    task: Task
    primary_metric: str
    n: int
    texts: int | None = None
    figures: dict[str, Figure]
    with_leaked: dict[str, float | None]
    chance: dict[str, float]
    majority: dict[str, float]
    centre: dict[str, float]
    templates: tuple[TemplateFigure, ...] = ()
    template_std: float | None = None
    classes: tuple[ClassFigure, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    reliability: tuple[Bin, ...] = ()
    probes: tuple[ProbeFigure, ...] = ()
    threshold: float | None = None
    notes: tuple[str, ...] = ()


class LeakRow(Record):
    """A test picture that is in the training set or looks like one that is."""

    example: str
    sample: str
    kind: Literal["exact", "near", "mirrored"]
    bits: int


class Present(Record):
    """A test set that was judged."""

    dataset: str
    title: str
    domain: Domain
    task: Task
    licence: str
    citation: str
    fingerprint: str
    pictures: int
    groups: int | None
    dropped: dict[str, int]
    leaks: tuple[LeakRow, ...] = ()


class Absent(Record):
    """A test set without figures: not there, or not what it should be."""

    dataset: str
    title: str
    domain: Domain
    task: Task
    reason: str
    detail: str
    how_to_get: str
    licence: str


class DomainMean(Record):
    """Mean of one metric over the test sets of a domain that are present.

    Attributes:
        domain: None for the mean over all domains with a figure.
        figure: None where nothing is present.
        present: How many test sets (for `domain` None: domains) are in the mean.
        listed: How many the suite lists (for `domain` None: twelve).
    """

    model: str
    domain: Domain | None
    task: Task
    metric: str
    figure: Figure | None
    present: int
    listed: int


class Comparison(Record):
    """Two models on the same pictures: the second minus the first.

    Attributes:
        dataset: None for the mean over domains.
        p: Two-sided, of no difference, by paired bootstrap.
        p_holm: Corrected for the number of test sets looked at; None for the mean.
    """

    first: str
    second: str
    dataset: str | None
    task: Task
    metric: str
    difference: Figure
    p: float
    p_holm: float | None = None


class Reported(Record):
    """A figure from a paper: nothing here was measured."""

    model: str
    scope: str
    metric: str
    value: float
    citation: str
    note: str | None = None


class ModelEntry(Record):
    """A judged model."""

    name: str
    fingerprint: str
    logit_scale: float


class Results(Record):
    """All of one judging."""

    suite: str
    suite_version: str
    suite_title: str
    medpipe_version: str
    models: tuple[ModelEntry, ...]
    trained_on: str | None
    training_samples: int | None
    rounds: int
    seed: int
    present: tuple[Present, ...]
    absent: tuple[Absent, ...]
    judged: tuple[Judged, ...]
    domains: tuple[DomainMean, ...]
    comparisons: tuple[Comparison, ...]
    reported: tuple[Reported, ...]
    reported_version: str


def known(value: float) -> float | None:
    """A number for JSON: None instead of NaN."""
    return None if value != value else float(value)
