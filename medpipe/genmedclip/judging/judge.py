"""Judges models on a suite: finds the data, checks for leaks, embeds, scores and reports."""

import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import Field

import medpipe
from medpipe.dataset import Dataset
from medpipe.errors import ConfigError, Rejected
from medpipe.genmedclip.judging import details, report, reported, summary, tasks
from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.contract import Embedder, Ints, logit_scale
from medpipe.genmedclip.judging.embeddings import BATCH, Embedded, embed
from medpipe.genmedclip.judging.illustrations import Illustration, illustrate
from medpipe.genmedclip.judging.intervals import replicates
from medpipe.genmedclip.judging.leaks import Leak, TrainingSet, training_set
from medpipe.genmedclip.judging.probes import ProbeConfig
from medpipe.genmedclip.judging.registry import DatasetSpec, Suite
from medpipe.genmedclip.judging.results import (
    Absent,
    Judged,
    LeakRow,
    ModelEntry,
    Present,
    Results,
    known,
)
from medpipe.genmedclip.judging.sources import TestSet, find
from medpipe.genmedclip.judging.summary import Scored, dataset_seed
from medpipe.genmedclip.judging.tasks import Task
from medpipe.records import Record
from medpipe.storage import StorageConfig, open_store

logger = logging.getLogger(__name__)


class JudgeConfig(Record):
    """How thorough judging is."""

    rounds: int = Field(1000, ge=10, description="Bootstrap samples.")
    seed: int = Field(0, ge=0, description="Of the bootstrap.")
    batch: int = Field(BATCH, ge=1, description="Pictures in memory and given to a model at once.")
    probes: ProbeConfig | None = Field(
        ProbeConfig(), description="Linear probes; None: none are learned."
    )
    pictures: bool = Field(True, description="Show confusions and heat maps in the report.")


def judge(
    models: Sequence[Embedder],
    suite: Suite,
    *,
    out: str,
    cache: str,
    data: str = ".",
    train: str | Dataset | None = None,
    config: JudgeConfig | None = None,
    storage: StorageConfig | None = None,
) -> Results:
    """Judge models side by side and write report.json, report.md and report.html.

    Args:
        models: With distinct names.
        suite: What to judge them on; what is not there is reported so.
        out: Folder or bucket prefix of the report.
        cache: Folder or bucket prefix where embeddings are kept.
        data: Folder or bucket prefix of the test sets.
        train: Dataset the models were trained on, or its address: its pictures are looked for
            among the test pictures and left out. None: no check, and the report says so.
        config: How thorough.
        storage: For S3.

    Raises:
        ConfigError: No models, two of one name, or no access.
        Transient: The object store failed.
    """
    config = config or JudgeConfig()
    names = [model.name for model in models]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"models need distinct names, got {names}")
    run = _Run(models, data, Cache(open_store(cache, storage)), _training(train, storage), config)
    for spec in suite.datasets:
        run.take(spec, storage)
    results = Results(
        suite=suite.name,
        suite_version=suite.version,
        suite_title=suite.title,
        medpipe_version=medpipe.__version__,
        models=tuple(
            ModelEntry(name=m.name, fingerprint=m.fingerprint, logit_scale=logit_scale(m))
            for m in models
        ),
        trained_on=train.store.uri if isinstance(train, Dataset) else train,
        training_samples=run.training_samples,
        rounds=config.rounds,
        seed=config.seed,
        present=tuple(run.present),
        absent=tuple(run.absent),
        judged=tuple(run.judged),
        domains=tuple(summary.domain_means(suite, names, run.scored)),
        comparisons=tuple(summary.comparisons(suite, names, run.scored)),
        reported=reported.figures(),
        reported_version=reported.version(),
    )
    report.write(results, run.illustrations, open_store(out, storage))
    return results


def _training(train: str | Dataset | None, storage: StorageConfig | None) -> TrainingSet | None:
    if train is None:
        return None
    dataset = Dataset(open_store(train, storage)) if isinstance(train, str) else train
    known_pictures = training_set(dataset)
    if not len(known_pictures):
        raise ConfigError(f"{dataset.store.uri} holds no samples to check for leaks")
    return known_pictures


class _Run:
    """What accumulates while test sets are judged one after another."""

    def __init__(
        self,
        models: Sequence[Embedder],
        data: str,
        cache: Cache,
        training: TrainingSet | None,
        config: JudgeConfig,
    ) -> None:
        self._models, self._data, self._cache = models, data, cache
        self._training, self._config = training, config
        self.training_samples = None if training is None else len(training)
        self.present: list[Present] = []
        self.absent: list[Absent] = []
        self.judged: list[Judged] = []
        self.scored: list[Scored] = []
        self.illustrations: list[Illustration] = []

    def take(self, spec: DatasetSpec, storage: StorageConfig | None) -> None:
        """Judge a test set with every model, or note why it has no figures."""
        try:
            test = find(spec, self._data, storage)
            if test is None:
                self._miss(spec, "not_present", f"nothing at {spec.source.uri}")
                return
            self._judge(test)
        except Rejected as error:
            self._miss(spec, error.code, error.detail)

    def _miss(self, spec: DatasetSpec, reason: str, detail: str) -> None:
        logger.info("%s has no figures: %s (%s)", spec.name, reason, detail)
        self.absent.append(
            Absent(
                dataset=spec.name,
                title=spec.title,
                domain=spec.domain,
                task=spec.task,
                reason=reason,
                detail=detail,
                how_to_get=spec.how_to_get,
                licence=spec.licence,
            )
        )

    def _judge(self, test: TestSet) -> None:
        spec, config = test.spec, self._config
        seeing = [] if spec.task == "grounding" else self._models
        embedded = embed(test, spec.source.split, seeing, self._cache, config.batch)
        leaks = self._leaks(embedded)
        leaked = {leak.example for leak in leaks}
        everything = np.arange(len(embedded.facts))
        kept = np.array(
            [i for i in everything if embedded.facts[i].example.id not in leaked], np.int64
        )
        if not len(kept):
            raise Rejected("nothing_usable", f"{len(leaks)} leaked, none is left")
        task = Task(test, embedded, kept, self._cache, config.batch)
        rows = [self._one(task, model, everything) for model in self._models]
        if config.pictures:
            self.illustrations += illustrate(task, self._models, [row for row, _ in rows])
        self.judged += [row for row, _ in rows]
        self.scored += [scored for _, scored in rows]
        self.present.append(_present(task, leaks))

    def _leaks(self, embedded: Embedded) -> list[Leak]:
        if self._training is None:
            return []
        found = (
            self._training.seen(f.example.id, f.sha256, f.phash, f.mirrored) for f in embedded.facts
        )
        return [leak for leak in found if leak is not None]

    def _one(self, task: Task, model: Embedder, everything: Ints) -> tuple[Judged, Scored]:
        """One model: figures without leaked pictures, and with them where there are any."""
        spec, config = task.test.spec, self._config
        seed = dataset_seed(config.seed, spec.name)
        verdict = tasks.run(task, model, task.kept)
        ones = np.ones(verdict.n)
        scored = Scored(
            model.name,
            spec,
            {name: measure(ones) for name, measure in verdict.outcome.measures.items()},
            replicates(verdict.outcome, config.rounds, seed),
        )
        with_leaked = {}
        if len(task.kept) < len(everything):
            whole = tasks.run(task, model, everything)
            with_leaked = {
                name: known(measure(np.ones(whole.n)))
                for name, measure in whole.outcome.measures.items()
            }
        judged = Judged(
            model=model.name,
            dataset=spec.name,
            domain=spec.domain,
            task=spec.task,
            primary_metric=spec.primary_metric,
            n=verdict.n,
            figures=summary.figures_of(verdict.outcome, verdict.n, scored),
            with_leaked=with_leaked,
            chance=verdict.chance,
            majority=verdict.majority,
            centre=verdict.centre,
            threshold=verdict.threshold,
            texts=verdict.texts,
        )
        return judged.model_copy(update=self._details(task, model, verdict, seed)), scored

    def _details(
        self, task: Task, model: Embedder, verdict: tasks.Verdict, seed: int
    ) -> dict[str, object]:
        """The fields of `Judged` that look behind the figures."""
        found, rows, config = verdict.classified, task.kept, self._config
        if found is None:
            return {}
        templates, std = details.by_template(task, model, verdict, rows)
        seen: dict[str, object] = {
            "templates": templates,
            "template_std": std,
            "classes": details.class_figures(task, found, rows),
            "reliability": details.reliability(found, len(rows)),
        }
        if task.test.spec.task == "zero_shot":
            seen["confusions"] = details.confusions(task, found, rows)
        if config.probes is not None:
            try:
                seen["probes"] = details.probes(
                    task, model, rows, config.probes, config.rounds, seed
                )
            except Rejected as error:
                seen["notes"] = (f"no linear probes: {error}",)
        return seen


def _present(task: Task, leaks: list[Leak]) -> Present:
    spec, facts = task.test.spec, task.embedded.facts
    groups = {f.example.group for f in facts} - {None}
    return Present(
        dataset=spec.name,
        title=spec.title,
        domain=spec.domain,
        task=spec.task,
        licence=spec.licence,
        citation=spec.citation,
        fingerprint=task.test.fingerprint(spec.source.split),
        pictures=len(facts),
        groups=len(groups) or None,
        dropped=dict(sorted(Counter(d.code for d in task.embedded.dropped).items())),
        leaks=tuple(
            LeakRow(example=k.example, sample=k.sample, kind=k.kind, bits=k.bits) for k in leaks
        ),
    )
