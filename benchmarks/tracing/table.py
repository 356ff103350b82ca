"""Print figures and put them together."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.tracing.measure import OURS, Outcome

COLUMNS = {
    "recall": "recall",
    "precision": "precis.",
    "error_px_720p": "err px",
    "false_runs_a_minute": "runs/min",
    "hidden_claimed": "hidden",
    "scene_f1": "F1",
    "dwell_psnr_db": "dwell dB",
    "beside_psnr_db": "beside",
    "cpu_over_decode": "x dec.",
    "ms_a_frame": "ms/frame",
}


def print_summary(figures: dict[str, Any]) -> None:
    """Print what `summary` returns."""
    print(f"\n{'means':26s} {'method':18s}" + "".join(f"{c:>9s}" for c in COLUMNS.values()))
    for name, row in figures["means"].items():
        print(f"{'':26s} {name:18s}" + "".join(f"{_cell(row[key]):>9s}" for key in COLUMNS))
    for name, row in figures["cpu"].items():
        cpu, ms, clips = row["cpu_over_decode"], row["ms_a_frame"], row["clips"]
        print(f"{name}: {cpu:.2f} x a plain decode, {ms:.2f} ms a frame (median of {clips})")
    for row in figures["confidence"]:
        stated, right, points = row["stated"], row["right"], row["points"]
        print(f"confidence {stated:.2f} stated: {right:.2f} of {points} points are right")
    print("lowest recall:", ", ".join(f"{k} {v:.2f}" for k, v in figures["lowest_recall"].items()))


def print_table(outcomes: Sequence[Outcome], *, head: bool = True) -> None:
    """Print one block a clip, one line a method."""
    if head:
        print(f"{'clip':26s} {'method':18s}" + "".join(f"{c:>9s}" for c in COLUMNS.values()))
    for outcome in outcomes:
        for name, row in outcome.row["methods"].items():
            cells = "".join(f"{_cell(row.get(key)):>9s}" for key in COLUMNS)
            print(f"{outcome.row['clip']:26s} {name:18s}{cells}", flush=True)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Means of each method, CPU by codec and size, and whether confidence can be trusted."""
    methods = list(outcomes[0].row["methods"])
    return {
        "means": {name: means(outcomes, name) for name in methods},
        "cpu": _cpu(outcomes),
        "confidence": calibration(outcomes),
        "lowest_recall": _lowest(outcomes),
    }


def means(outcomes: Sequence[Outcome], method: str) -> dict[str, float | None]:
    """Mean of every measure over the clips that have it."""
    out: dict[str, float | None] = {}
    for key in COLUMNS:
        seen = [o.row["methods"][method].get(key) for o in outcomes if method in o.row["methods"]]
        known = [v for v in seen if v is not None]
        out[key] = round(float(np.mean(known)), 4) if known else None
    return out


def _cpu(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """CPU of the extractor by codec and size."""
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for outcome in outcomes:
        row = outcome.row
        size = "720p and above" if min(row["width_px"], row["height_px"]) >= 720 else "below 720p"
        groups[f"{row['codec']}, {size}"].append(row["methods"][OURS])
    pick: Callable[[str, list[dict[str, float]]], float] = lambda key, rows: round(  # noqa: E731
        float(np.median([row[key] for row in rows])), 3
    )
    return {
        name: {key: pick(key, rows) for key in ("cpu_over_decode", "ms_a_frame")}
        | {"clips": len(rows)}
        for name, rows in sorted(groups.items())
    }


def calibration(outcomes: Sequence[Outcome]) -> list[dict[str, float]]:
    """Share of right points by stated confidence, in tenths."""
    sure = np.concatenate([outcome.sure for outcome in outcomes])
    out = []
    for low in np.arange(0, 1, 0.1):
        part = sure[(sure[:, 0] >= low) & (sure[:, 0] < low + (0.1 if low < 0.85 else 0.2))]
        if len(part):
            out.append(
                {
                    "from": round(float(low), 1),
                    "points": len(part),
                    "stated": round(float(part[:, 0].mean()), 3),
                    "right": round(float(part[:, 1].mean()), 3),
                }
            )
    return out


def _lowest(outcomes: Sequence[Outcome], count: int = 8) -> dict[str, float]:
    known = {
        o.row["clip"]: o.row["methods"][OURS]["recall"]
        for o in outcomes
        if o.row["methods"][OURS]["recall"] is not None
    }
    return dict(sorted(known.items(), key=lambda item: (item[1], math.pi))[:count])
