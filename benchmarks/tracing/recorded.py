"""Real screen recordings, held against positions that a person read from single frames."""

import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tracing.measure import OURS, Outcome, found_by, run_ours
from benchmarks.tracing.pages import shared_data
from benchmarks.tracing.peers import run_peers
from benchmarks.tracing.score import sparse_row

_LABELS = Path(__file__).with_name("recordings.json")


def labels() -> dict[str, Any]:
    """Labels by the sha256 of the recording: file, width_px, height_px and some frames' tips."""
    known: dict[str, Any] = json.loads(_LABELS.read_text("utf-8"))
    return known


def measure_recordings(*, peers: Sequence[str]) -> list[Outcome]:
    """Score every recording that is there; says so loudly when none is."""
    folder, known = shared_data() / "recordings", labels()
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    out = []
    for file in files:
        label = known.get(hashlib.sha256(file.read_bytes()).hexdigest())
        if label is not None:
            out.append(_measured(file, label, peers))
    if len(out) < len(known):
        lost = len(known) - len(out)
        where = "the shared data (see benchmarks/tracing/recordings.json)"
        print(f"SKIPPED: {lost} of {len(known)} recordings are not in {where}", file=sys.stderr)
    return out


def _measured(file: Path, label: dict[str, Any], peers: Sequence[str]) -> Outcome:
    size = (label["width_px"], label["height_px"])
    with tempfile.TemporaryDirectory() as name:
        extraction, decode_s, cpu_s = run_ours(file, Path(name))
    methods = {
        OURS: {
            **sparse_row(label["labels"], found_by(extraction), size),
            "cpu_over_decode": cpu_s / decode_s,
            "ms_a_frame": cpu_s / extraction.frames * 1000,
        }
    }
    for way, (found, peer_s) in run_peers(file, None, 1.0, peers).items():
        methods[way] = {
            **sparse_row(label["labels"], found, size),
            "cpu_over_decode": peer_s / decode_s,
            "ms_a_frame": peer_s / extraction.frames * 1000,
        }
    rounded = {
        way: {k: None if math.isnan(v) else round(v, 4) for k, v in row.items()}
        for way, row in methods.items()
    }
    return Outcome({"clip": label["file"], "kind": "recording", "methods": rounded})
