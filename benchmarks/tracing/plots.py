"""Pictures of the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.tracing.measure import OURS, Outcome

mpl.use("Agg")
from matplotlib import pyplot as plt

_COLOURS = ("#0b5394", "#999999", "#e69138", "#6aa84f", "#a64d79", "#cc4125")


def draw_sweeps(swept: dict[str, Any], path: Path) -> None:
    """Recall and error against each difficulty, a line a method."""
    figure, axes = plt.subplots(2, len(swept), figsize=(4.2 * len(swept), 6.4), squeeze=False)
    for column, one in enumerate(swept.values()):
        for row, (key, title) in enumerate(
            (("recall", "recall"), ("error_px_720p", "median error, px at 720p"))
        ):
            axis = axes[row][column]
            for colour, (method, kept) in zip(_COLOURS, one["methods"].items(), strict=False):
                values = [np.nan if v is None else v for v in kept[key]]
                wide = 2.4 if method == OURS else 1.2
                axis.plot(one["values"], values, "o-", color=colour, lw=wide, ms=4, label=method)
            axis.set_xlabel(one["label"])
            axis.set_ylabel(title)
            axis.grid(alpha=0.3)
            if key == "recall":
                axis.set_ylim(-0.02, 1.02)
            else:
                axis.set_yscale("log")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)


def draw_bars(outcomes: Sequence[Outcome], path: Path) -> None:
    """Recall and precision of every kind: a dot a method, the extractor's as bars."""
    shown = {o.row["kind"] for o in outcomes if o.row["methods"][OURS]["recall"] is not None}
    kinds = sorted(shown, key=lambda kind: _mean(outcomes, kind, OURS))
    methods = list(outcomes[0].row["methods"])
    figure, axis = plt.subplots(figsize=(11, 0.24 * len(kinds) + 1.4))
    y = np.arange(len(kinds))
    axis.barh(y, [_mean(outcomes, k, OURS) for k in kinds], color="#9fc5e8", label=OURS)
    for colour, method in zip(_COLOURS[1:], methods[1:], strict=False):
        axis.plot(
            [_mean(outcomes, k, method) for k in kinds], y, "o", color=colour, ms=4, label=method
        )
    axis.set_yticks(y, kinds, fontsize=7)
    axis.set_xlim(0, 1.01)
    axis.set_xlabel("recall within 1.5 % of the diagonal")
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axis.grid(alpha=0.3, axis="x")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _mean(outcomes: Sequence[Outcome], kind: str, method: str) -> float:
    rows = [o.row["methods"][method]["recall"] for o in outcomes if o.row["kind"] == kind]
    known = [v for v in rows if v is not None]
    return float(np.mean(known)) if known else 0.0
