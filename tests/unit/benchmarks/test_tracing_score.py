"""The scorer of the trace benchmark, its peers and its labels."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.tracing import ClipSpec, Form, Pointer, make_clip
from benchmarks.tracing.measure import Moment, Outcome
from benchmarks.tracing.peers import run_peers
from benchmarks.tracing.recorded import labels
from benchmarks.tracing.score import (
    Found,
    dwell_row,
    pointer_row,
    scene_row,
    sparse_row,
    track_off_px,
)
from benchmarks.tracing.sheet import write_sheet
from benchmarks.tracing.table import calibration

WIDE, TALL, FPS = 640, 480, 20


def known(hidden_from_s: float = 6.0, other: bool = False) -> dict[str, Any]:
    """The truth of 10 s in which a pointer goes to the right and is then hidden."""
    t_s = np.arange(10 * FPS) / FPS
    seen = t_s < hidden_from_s
    n = len(t_s)
    return {
        "video": {"width_px": WIDE, "height_px": TALL},
        "pointer": {
            "t_s": t_s.tolist(),
            "x_px": [100 + 30 * t if s else None for t, s in zip(t_s, seen, strict=True)],
            "y_px": [200.0 if s else None for s in seen],
            "visible": seen.tolist(),
            "other_x_px": [500.0 if other else None] * n,
            "other_y_px": [50.0 if other else None] * n,
        },
        "scenes": [{"start_s": 0.0, "end_s": 10.0}],
    }


def found(until_s: float = 6.0, off_px: float = 0.0) -> Found:
    t_s = np.arange(0, until_s, 0.1)
    return Found(t_s, 100 + 30 * t_s + off_px, np.full(len(t_s), 200.0))


NOTHING = Found(np.zeros(0), np.zeros(0), np.zeros(0))


def test_a_perfect_track_has_full_marks() -> None:
    row = pointer_row(known(), found())

    assert row["recall"] == pytest.approx(1.0, abs=0.01)
    assert row["precision"] == 1.0
    assert row["error_px_720p"] == pytest.approx(0.0, abs=1e-6)
    assert row["false_runs_a_minute"] == 0
    assert row["hidden_claimed"] == 0


def test_nothing_found_is_no_recall_and_no_false_claim() -> None:
    row = pointer_row(known(), NOTHING)

    assert row["recall"] == 0
    assert row["hidden_claimed"] == 0


def test_errors_are_told_at_720_lines() -> None:
    assert pointer_row(known(), found(off_px=4))["error_px_720p"] == pytest.approx(6.0)


def test_a_track_that_goes_on_while_hidden_is_one_false_run() -> None:
    row = pointer_row(known(), found(until_s=10))

    assert row["hidden_claimed"] > 0.9
    assert row["false_runs_a_minute"] == pytest.approx(60 / 3.9, rel=0.05)


def test_of_two_pointers_the_other_one_is_no_mistake() -> None:
    t_s = np.arange(0, 6, 0.1)
    other = Found(t_s, np.full(60, 500.0), np.full(60, 50.0))

    assert pointer_row(known(other=True), other)["precision"] == 1.0
    assert pointer_row(known(), other)["precision"] == 0.0
    assert pointer_row(known(other=True), other)["recall"] == 0.0
    assert math.isnan(pointer_row(known(other=True), found(until_s=10))["hidden_claimed"])


def test_a_clip_that_is_never_hidden_says_nothing_of_false_runs() -> None:
    assert math.isnan(pointer_row(known(hidden_from_s=11), found(10))["hidden_claimed"])


def test_moments_are_wrong_where_missed_off_or_claimed() -> None:
    off = track_off_px(known(), found(until_s=8))

    assert (off[: 5 * FPS] < 1).all()
    assert np.isinf(off[7 * FPS])
    assert off[-1] == 0


def test_scenes_of_a_cine_are_not_scored() -> None:
    assert math.isnan(scene_row({**known(), "scenes": None}, [])["scene_f1"])
    assert scene_row(known(), [{"start_s": 0.2, "end_s": 9.9}])["scene_f1"] == 1.0


def test_a_clean_picture_is_judged_where_the_pointer_rested_and_beside(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).integers(0, 255, (TALL, WIDE, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "clean.png"), clean)
    spoilt = clean.copy()
    spoilt[100:120, 100:120] = 0
    cv2.imwrite(str(tmp_path / "spoilt.png"), spoilt)
    scene = {"start_s": 0.0, "end_s": 10.0, "clean": "clean.png", "dwell_px": [100, 100, 120, 120]}
    whole = {**known(), "scenes": [scene]}
    box = (0, 0, WIDE, TALL)

    good = dwell_row(whole, tmp_path, [(0.0, 10.0, tmp_path / "clean.png", box)])
    bad = dwell_row(whole, tmp_path, [(0.0, 10.0, tmp_path / "spoilt.png", box)])
    none = dwell_row(whole, tmp_path, [])

    assert good["dwell_psnr_db"] == 60
    assert bad["dwell_psnr_db"] < 10
    assert bad["beside_psnr_db"] == 60
    assert none["dwell_psnr_db"] == 0


def test_a_few_labelled_frames_are_scored_each() -> None:
    marks = [
        {"t_s": 1.0, "x_px": 130.0, "y_px": 200.0},
        {"t_s": 2.0, "x_px": 300.0, "y_px": 200.0},
        {"t_s": 7.0, "x_px": None, "y_px": None},
        {"t_s": 9.0, "x_px": 10.0, "y_px": 10.0},
    ]

    row = sparse_row(marks, found(until_s=8), (WIDE, TALL))

    assert row["recall"] == pytest.approx(1 / 3)
    assert row["precision"] == pytest.approx(1 / 3)


def test_every_labelled_frame_lies_in_its_recording() -> None:
    known_labels = labels()

    assert len(known_labels) >= 5
    for sha256, recording in known_labels.items():
        assert len(sha256) == 64
        assert len(recording["labels"]) >= 12
        stamps = [label["t_s"] for label in recording["labels"]]
        assert stamps == sorted(stamps)
        for label in recording["labels"]:
            if label["x_px"] is not None:
                assert 0 <= label["x_px"] < recording["width_px"]
                assert 0 <= label["y_px"] < recording["height_px"]


def test_confidence_is_held_against_what_was_right() -> None:
    sure = np.array([[0.95, 1], [0.92, 1], [0.15, 0], [0.12, 1]])

    table = calibration([Outcome({}, None, sure)])

    assert [(row["from"], row["points"], row["right"]) for row in table] == [
        (0.1, 2, 0.5),
        (0.9, 2, 1.0),
    ]


def test_the_worst_moments_make_a_sheet(tmp_path: Path) -> None:
    picture = np.full((90, 160, 3), 99, np.uint8)
    moments = [
        Outcome({}, Moment(float(k), f"clip {k}", picture, (80.0, 45.0), (20.0, 20.0)))
        for k in range(3)
    ]

    write_sheet(moments, tmp_path / "sheet.jpg", count=2)

    assert cv2.imread(str(tmp_path / "sheet.jpg")).shape == (236, 1200, 3)


def test_every_peer_finds_an_easy_pointer_and_says_what_it_cost(tmp_path: Path) -> None:
    form = Form(640, 360, fps=15, crf=20)
    pointer = Pointer("arrow", "black", 30.0)
    spec = ClipSpec("t", 2, "slide", pointer, "calm", form, 5.0, ("fundus",))
    made = make_clip(spec, tmp_path)
    truth = json.loads(made.truth.read_text())

    results = run_peers(made.video, pointer, 1.0)

    rows = {name: pointer_row(truth, peer) for name, (peer, _) in results.items()}
    assert set(rows) == {"median (lineage)", "difference + hold", "MOG2", "KNN", "template"}
    assert all(cpu_s > 0 for _, cpu_s in results.values())
    for peer, _ in results.values():
        assert (np.diff(peer.t_s) > 0).all()
    assert rows["difference + hold"]["recall"] > 0.5
    assert max(row["recall"] for row in rows.values()) > 0.7
