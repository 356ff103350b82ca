"""Pointer, scenes and clean images against exact truth, on lectures that nothing was fitted to.

Draws random lectures (other seeds, cursors and pictures than the bundled ones), extracts them and
scores the result; CPU beside a plain decode of the same file in the same run.

    python -m benchmarks.traces [--seeds 80 81 82 ...]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.lectures import make_lecture, random_spec
from benchmarks.machine import about
from benchmarks.walk import RESULTS
from medpipe.demo.score import pointer_scores, scene_f1
from medpipe.media.video import plain_decode_cpu_s
from medpipe.stages.extract import ExtractConfig, extract

# (width, height, frames a second, CRF), one a seed in turn.
SHAPES = ((1280, 720, 25, 30), (854, 480, 15, 34), (1280, 720, 30, 38), (640, 360, 25, 32))
SEEDS = tuple(range(180, 188))


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", type=int, default=SEEDS)
    cv2.setNumThreads(1)
    rows = [measure(seed) for seed in parser.parse_args().seeds]
    names = [name for name in rows[0] if name != "clip"]
    mean = {name: float(np.nanmean([row[name] for row in rows])) for name in names}
    for row in [*rows, {"clip": "mean", **mean}]:
        print(f"{row['clip']:24s}" + "  ".join(f"{name} {row[name]:6.3f}" for name in names))
    figures = {**about(), "clips": rows, "mean": mean}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "traces.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(seed: int) -> dict[str, Any]:
    """Draw one lecture, extract it and score what was found."""
    width_px, height_px, fps, crf = SHAPES[seed % len(SHAPES)]
    spec = random_spec(
        seed, width_px=width_px, height_px=height_px, fps=fps, crf=crf, duration_s=40, speech="none"
    )
    with tempfile.TemporaryDirectory() as folder:
        made = make_lecture(spec, Path(folder))
        truth = json.loads(made.truth.read_text("utf-8"))
        decode_s = plain_decode_cpu_s(made.video)
        start_s = time.process_time()
        found = extract(made.video, Path(folder), ExtractConfig())
        extract_s = time.process_time() - start_s
    points = found.points
    columns = {
        "t_s": points.t_s,
        "x_px": points.x * found.width_px,
        "y_px": points.y * found.height_px,
    }
    pointer = pointer_scores(truth["pointer"], columns, width_px, height_px)
    scenes = [{"start_s": scene.start_s, "end_s": scene.end_s} for scene in found.scenes]
    return {
        "clip": f"{seed}: {width_px}x{height_px}@{fps} crf {crf}",
        "recall": pointer.recall,
        "precision": pointer.precision,
        "error_px": pointer.median_error_px,
        "hidden_claimed": pointer.false_share_hidden,
        "scene_f1": scene_f1(truth["scenes"], scenes),
        "cpu_over_decode": extract_s / decode_s,
    }


if __name__ == "__main__":
    main()
