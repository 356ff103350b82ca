"""One thing made harder and harder, all else equal: how recall and error go."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.tracing.measure import measure_spec
from benchmarks.tracing.spec import ClipSpec, Form, Pointer

_SEEDS = (950, 951)
_PICTURES = ("head_ct", "histology", "fundus")

Draw = Callable[[float, int], ClipSpec]


def _spec(seed: int, pointer: Pointer, form: Form) -> ClipSpec:
    return ClipSpec("sweep", seed, "cuts", pointer, "lecture", form, 8.0, _PICTURES)


SWEEPS: dict[str, tuple[str, tuple[float, ...], Draw]] = {
    "crf": (
        "CRF of x264 (24 px arrow, 720p)",
        (20, 26, 32, 38, 44),
        lambda v, seed: _spec(seed, Pointer(make=seed), Form(crf=round(v))),
    ),
    "size": (
        "height of the arrow, px at 720p (CRF 28)",
        (8, 12, 16, 24, 40, 72),
        lambda v, seed: _spec(seed, Pointer(size_px=v, make=seed), Form()),
    ),
    "strength": (
        "opacity of the arrow (24 px, CRF 28)",
        (0.1, 0.2, 0.35, 0.5, 1.0),
        lambda v, seed: _spec(seed, Pointer(strength=v, make=seed), Form()),
    ),
    "lines": (
        "lines of the coded frame (28 px arrow)",
        (144, 240, 360, 480, 720),
        lambda v, seed: _spec(
            seed,
            Pointer(size_px=28, make=seed),
            Form(round(v * 16 / 9 / 2) * 2, round(v), recorded_px=(1280, 720)),
        ),
    ),
}


def sweep(name: str, peers: Sequence[str]) -> dict[str, Any]:
    """Run one sweep.

    Returns:
        `label`, `values`, and by method `recall`, `precision` and `error_px_720p`, each a list of
        means over the seeds.
    """
    label, values, draw = SWEEPS[name]
    out: dict[str, Any] = {"label": label, "values": list(values), "methods": {}}
    for value in values:
        rows = [measure_spec(draw(value, seed), peers=peers).row["methods"] for seed in _SEEDS]
        for method in rows[0]:
            kept = out["methods"].setdefault(method, {})
            for key in ("recall", "precision", "error_px_720p"):
                known = [row[method][key] for row in rows if row[method][key] is not None]
                mean = round(float(np.mean(known)), 4) if known else None
                kept.setdefault(key, []).append(mean)
    return out
