"""The tables of the report as plain text cells, for Markdown and HTML alike."""

from collections.abc import Iterable
from dataclasses import dataclass

from medpipe.genmedclip.judging.results import Comparison, DomainMean, Figure, Judged, Results

_NAMES = {
    "auroc": "AUROC",
    "map": "mAP",
    "ece": "ECE",
    "macro_f1": "macro F1",
    "iou_best": "IoU, best threshold",
    "iou_50": "IoU, half threshold",
    "r10_mean": "R@10, both ways",
}
_TASKS = {
    "zero_shot": "Zero-shot classification",
    "multi_label": "Zero-shot, several classes at once",
    "retrieval": "Retrieval",
    "grounding": "Grounding",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its heading and a sentence on how to read it."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(results: Results) -> list[Table]:
    """All tables with rows, in the order of the report."""
    found = [
        *domain_tables(results),
        *dataset_tables(results),
        _comparisons(results),
        _classes(results),
        _probes(results),
        _wording(results),
        _leaks(results),
        _dropped(results),
        _absent(results),
        _sets(results),
        _reported(results),
    ]
    return [table for table in found if table.rows]


def domain_tables(results: Results) -> list[Table]:
    """Means by domain, a table a task."""
    models = [m.name for m in results.models]
    return [
        _domains(task, [r for r in results.domains if r.task == task], models)
        for task in dict.fromkeys(r.task for r in results.domains)
    ]


def _domains(task: str, rows: list[DomainMean], models: list[str]) -> Table:
    of_model = {(r.model, r.domain): r for r in rows}
    cells = []
    for domain in dict.fromkeys(r.domain for r in rows):
        first = of_model[models[0], domain]
        if not first.listed:
            continue
        unit = "domains" if domain is None else "sets"
        name = "mean over domains" if domain is None else domain.value
        cells.append(
            (
                name,
                f"{first.present} of {first.listed} {unit}",
                *(interval(of_model[m, domain].figure) for m in models),
            )
        )
    return Table(
        f"{_TASKS[task]} by domain",
        f"Mean over the test sets that are present: {words(rows[0].metric)}. "
        "A dash: nothing is present, and nothing stands in for it.",
        ("domain", "present", *models),
        tuple(cells),
    )


def dataset_tables(results: Results) -> list[Table]:
    """Every figure of every test set, a table a task."""
    made = []
    for task in dict.fromkeys(j.task for j in results.judged):
        judged = [j for j in results.judged if j.task == task]
        metrics = list(judged[0].figures)
        rows: list[tuple[str, ...]] = []
        for dataset in dict.fromkeys(j.dataset for j in judged):
            rows += _dataset_rows([j for j in judged if j.dataset == dataset], metrics)
        made.append(
            Table(
                f"{_TASKS[task]}: every test set",
                "95 % intervals: Wilson for accuracy of independent pictures, bootstrap elsewhere, "
                "drawn by patient or video where the set names them. Leaked pictures are out.",
                ("test set", "model", "n", *map(words, metrics)),
                tuple(rows),
            )
        )
    return made


def _dataset_rows(judged: list[Judged], metrics: list[str]) -> Iterable[tuple[str, ...]]:
    for row in judged:
        figures = (interval(row.figures[m]) for m in metrics)
        n = f"{row.n:,}" if row.texts is None else f"{row.n:,} pictures, {row.texts:,} texts"
        yield (row.dataset, row.model, n, *figures)
    for row in judged:
        if row.with_leaked:
            cells = (number(row.with_leaked.get(m)) for m in metrics)
            yield (row.dataset, f"{row.model}, leaked ones counted in", "", *cells)
    first = judged[0]
    for name, values in (
        ("chance", first.chance),
        ("majority class", first.majority),
        ("always the middle", first.centre),
    ):
        if values:
            yield (first.dataset, name, "", *(number(values.get(m)) for m in metrics))


def _comparisons(results: Results) -> Table:
    return Table(
        "Models against each other",
        "Second minus first on the same pictures; p by paired bootstrap, two-sided, and corrected "
        "for the number of test sets (Holm).",
        ("first", "second", "on", "metric", "difference", "p", "p corrected"),
        tuple(_comparison(c) for c in results.comparisons),
    )


def _comparison(row: Comparison) -> tuple[str, ...]:
    on = row.dataset or f"mean over domains ({words(row.task)})"
    corrected = "" if row.p_holm is None else f"{row.p_holm:.3f}"
    difference = interval(row.difference, sign="+")
    return row.first, row.second, on, words(row.metric), difference, f"{row.p:.3f}", corrected


def _classes(results: Results) -> Table:
    return Table(
        "By class",
        "Recall: share of the class given its name. AUROC: against all other classes.",
        ("test set", "model", "class", "n", "recall", "auroc"),
        tuple(
            (row.dataset, row.model, c.name, f"{c.n:,}", number(c.recall), number(c.auroc))
            for row in results.judged
            for c in row.classes
        ),
    )


def _probes(results: Results) -> Table:
    rows = [(j.dataset, j.model, note, "", "", "") for j in results.judged for note in j.notes]
    for row in results.judged:
        for probe in row.probes:
            what = "all of the training split" if probe.shots is None else f"{probe.shots} a class"
            spread = ""
            if probe.std is not None:
                spread = f"± {probe.std:.3f} over {probe.seeds} draws"
            elif probe.low is not None and probe.high is not None:
                spread = f"{probe.low:.3f} to {probe.high:.3f}"
            rows.append(
                (
                    row.dataset,
                    row.model,
                    what,
                    words(row.primary_metric),
                    number(probe.value),
                    spread,
                )
            )
    return Table(
        "Linear probes",
        "Logistic regression on frozen picture vectors. Where it needs few examples to beat "
        "zero-shot, the prompts are the weak part.",
        ("test set", "model", "learned from", "metric", "value", "spread"),
        tuple(rows),
    )


def _wording(results: Results) -> Table:
    rows = [
        (
            row.dataset,
            row.model,
            words(row.primary_metric),
            number(row.template_std),
            "; ".join(f"{t.template}: {number(t.value)}" for t in row.templates),
        )
        for row in results.judged
        if row.template_std is not None
    ]
    return Table(
        "How much the wording matters",
        "Standard deviation of the metric over templates, each used alone.",
        ("test set", "model", "metric", "deviation", "by template"),
        tuple(rows),
    )


def _leaks(results: Results) -> Table:
    rows = [
        (p.dataset, k.example, k.sample, k.kind, str(k.bits))
        for p in results.present
        for k in p.leaks
    ]
    note = "Test pictures that are in the training set, or within 6 bits of one; left out above."
    if len(rows) > _LISTED:
        note += f" The first {_LISTED} of {len(rows):,}; report.json has all."
    return Table(
        "Leaked pictures", note, ("test set", "picture", "training sample", "how", "bits"),
        tuple(rows[:_LISTED]),
    )  # fmt: skip


_LISTED = 200


def _dropped(results: Results) -> Table:
    return Table(
        "Rows that could not be judged",
        "Counted by reason; they are in no figure.",
        ("test set", "reason", "rows"),
        tuple(
            (p.dataset, words(code), f"{n:,}")
            for p in results.present
            for code, n in p.dropped.items()
        ),
    )


def _absent(results: Results) -> Table:
    return Table(
        "Test sets without figures",
        "They are in no mean.",
        ("test set", "domain", "why", "how to get it", "licence"),
        tuple(
            (
                f"{a.dataset}: {a.title}",
                a.domain.value,
                words(a.reason) if a.reason == "not_present" else f"{words(a.reason)}: {a.detail}",
                a.how_to_get,
                a.licence,
            )
            for a in results.absent
        ),
    )


def _sets(results: Results) -> Table:
    return Table(
        "Test sets that were judged",
        "",
        ("test set", "pictures", "patients or videos", "licence", "citation", "fingerprint"),
        tuple(
            (
                f"{p.dataset}: {p.title}",
                f"{p.pictures:,}",
                "not named" if p.groups is None else f"{p.groups:,}",
                p.licence,
                p.citation,
                p.fingerprint[:12],
            )
            for p in results.present
        ),
    )


def _reported(results: Results) -> Table:
    return Table(
        "Reported elsewhere",
        f"From papers, list {results.reported_version}; none of this was measured here, and test "
        "sets, splits and prompts may differ.",
        ("model (reported)", "on", "metric", "value", "from"),
        tuple(
            (
                f"{r.model} (reported)",
                r.scope,
                r.metric,
                f"{r.value:g}",
                r.citation + (f"; {r.note}" if r.note else ""),
            )
            for r in results.reported
        ),
    )


def interval(figure: Figure | None, sign: str = "") -> str:
    """A figure with its interval."""
    if figure is None or figure.value is None:
        return "-"
    text = f"{figure.value:{sign}.3f}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


def number(value: float | None) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def words(name: str) -> str:
    """A metric's or reason's name for people."""
    way, _, cut = name.rpartition("_r")
    if way in ("image_to_text", "text_to_image") and cut.isdigit():
        return f"{words(way)} R@{cut}"
    return _NAMES.get(name, name.replace("_", " "))
