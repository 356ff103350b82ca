"""Draws the report's plots as PNG: radar and bars over domains, reliability diagrams."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.projections.polar import PolarAxes

from medpipe.genmedclip.judging.report_tables import words
from medpipe.genmedclip.judging.results import DomainMean, Judged

_COLOURS = ("#0b6e4f", "#c1440e", "#2b4c9b", "#8a5a00", "#6b2d73", "#5a5a5a")


def radar(rows: Sequence[DomainMean], models: Sequence[str]) -> bytes:
    """One spoke a domain with a figure, one line a model.

    Args:
        rows: Of one task.
        models: In the order of the report.
    """
    domains = present_domains(rows)
    canvas = Canvas(figsize=(6.4, 5.6), layout="constrained")
    axes = canvas.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    angles = np.linspace(0, 2 * np.pi, len(domains), endpoint=False)
    for k, model in enumerate(models):
        values = [_value(rows, model, domain) for domain in domains]
        axes.plot(
            np.append(angles, angles[:1]),
            np.append(values, values[:1]),
            color=_COLOURS[k % len(_COLOURS)],
            marker="o",
            label=_plain(model),
        )
    axes.set_xticks(angles, domains)
    axes.set_ylim(0, 1)
    axes.set_theta_zero_location("N")
    canvas.legend(loc="outside lower center", ncols=2, frameon=False)
    return _png(canvas)


def bars(rows: Sequence[DomainMean], models: Sequence[str]) -> bytes:
    """One group of bars a domain with a figure, with 95 % intervals."""
    domains = present_domains(rows)
    canvas = Canvas(figsize=(max(5.0, 1.1 * len(domains) + 2), 4.0), layout="constrained")
    axes = canvas.add_subplot()
    width = 0.8 / len(models)
    for k, model in enumerate(models):
        found = {row.domain: row.figure for row in rows if row.model == model}
        for i, domain in enumerate(domains):
            figure = next((f for d, f in found.items() if d == domain), None)
            if figure is None or figure.value is None:
                continue
            low, high = figure.low, figure.high
            error = None if low is None or high is None else _reach(figure.value, low, high)
            axes.bar(
                i + (k - (len(models) - 1) / 2) * width,
                figure.value,
                width * 0.92,
                yerr=error,
                capsize=2,
                color=_COLOURS[k % len(_COLOURS)],
                label=_plain(model) if i == 0 else None,
            )
    axes.set_xticks(range(len(domains)), domains, rotation=30, ha="right")
    axes.set_ylim(0, 1)
    axes.set_ylabel(words(rows[0].metric))
    axes.spines[["top", "right"]].set_visible(False)
    canvas.legend(loc="outside upper center", ncols=3, frameon=False)
    return _png(canvas)


def reliability(rows: Sequence[Judged]) -> bytes:
    """Share right against confidence, one line a model, of one test set."""
    canvas = Canvas(figsize=(4.2, 4.2), layout="constrained")
    axes = canvas.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linestyle=":")
    for k, row in enumerate(rows):
        bins = [(b.confidence, b.right) for b in row.reliability if b.weight > 0]
        points = [(c, r) for c, r in bins if c is not None and r is not None]
        axes.plot(
            [c for c, _ in points],
            [r for _, r in points],
            color=_COLOURS[k % len(_COLOURS)],
            marker="o",
            label=_plain(row.model),
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.legend(loc="outside upper center", ncols=2, frameon=False)
    return _png(canvas)


def present_domains(rows: Sequence[DomainMean]) -> list[str]:
    """Domains for which some model has a figure."""
    return list(
        dict.fromkeys(row.domain.value for row in rows if row.domain and row.figure is not None)
    )


def _value(rows: Sequence[DomainMean], model: str, domain: str) -> float:
    figures = (r.figure for r in rows if r.model == model and r.domain == domain)
    found = next(figures, None)
    return float("nan") if found is None or found.value is None else found.value


def _reach(value: float, low: float, high: float) -> list[list[float]]:
    return [[max(0.0, value - low)], [max(0.0, high - value)]]


def _plain(text: str) -> str:
    """A label in which nothing is taken for mathematics or for a hidden one."""
    return text.replace("$", r"\$").removeprefix("_")[:40]


def _png(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    canvas.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()
