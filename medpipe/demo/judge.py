"""Holds a dataset's rows against the truth of the bundled lectures they were made from."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from medpipe.dataset import Dataset
from medpipe.demo.score import mean_box_iou, pointer_scores, scene_f1, word_error_rate
from medpipe.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LectureScore:
    """Errors on one lecture (or their mean); the definitions stand in `medpipe.demo.score`."""

    name: str
    wer: float
    pointer_recall: float
    pointer_precision: float
    median_error_px: float
    scene_f1: float
    box_iou: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo has to say.

    Attributes:
        lectures: Scores, one a lecture.
        mean: Their means.
        funnel: Of the dataset.
        cpu_s: CPU seconds by stage, over all lectures.
        media_s: Seconds of video in all.
        dataset: Its URI.
        report: Path of the HTML report.
        exit_code: Of the run.
    """

    lectures: tuple[LectureScore, ...]
    mean: LectureScore
    funnel: Mapping[str, Any]
    cpu_s: Mapping[str, float]
    media_s: float
    dataset: str
    report: str
    exit_code: int

    def as_json(self) -> dict[str, Any]:
        """The object that `medpipe demo --json` prints."""
        return {
            "wer": self.mean.wer,
            "pointer_recall": self.mean.pointer_recall,
            "pointer_precision": self.mean.pointer_precision,
            "median_error_px": self.mean.median_error_px,
            "scene_f1": self.mean.scene_f1,
            "box_iou": self.mean.box_iou,
            "items": self.funnel["items"],
            "samples": self.funnel["totals"].get("samples", 0),
            "rejects": sum(self.funnel["rejects"].values()),
            "dataset": self.dataset,
            "report": self.report,
        }


def bundled_lectures() -> list[Path]:
    """Paths of the bundled lectures; each has its truth beside it.

    Raises:
        ConfigError: The package was installed without its data.
    """
    folder = Path(str(resources.files("medpipe.demo") / "lectures"))
    found = sorted(folder.glob("*.mp4"))
    if not found:
        raise ConfigError(f"no lectures in {folder}; install medpipe again")
    return found


def score_lectures(dataset: Dataset, lectures: Iterable[Path]) -> tuple[LectureScore, ...]:
    """Score every lecture from the rows alone; one that is not in the dataset scores 0.

    Args:
        dataset: Made from the lectures by the main job.
        lectures: Videos with `<stem>.truth.json` beside them.
    """
    items = {row["id"]: row for row in dataset.rows("items").to_pylist()}
    texts = {
        row["item_id"]: row["text"]
        for row in dataset.rows("transcripts", ["item_id", "text"]).to_pylist()
    }
    columns = ["item_id", "scenes", "narrations", "part_of"]
    samples = [s for s in dataset.rows("samples", columns).to_pylist() if s["part_of"] is None]
    scores = []
    for video in lectures:
        truth = json.loads(video.with_suffix(".truth.json").read_text("utf-8"))
        item_id = "file:" + hashlib.sha256(video.read_bytes()).hexdigest()
        mine = [row for row in samples if row["item_id"] == item_id]
        scores.append(_score(video.stem, truth, items.get(item_id), texts.get(item_id, ""), mine))
    return tuple(scores)


def mean_score(scores: Sequence[LectureScore]) -> LectureScore:
    """The plain mean over lectures."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(score, name) for score in scores]))

    return LectureScore(
        "mean",
        mean("wer"),
        mean("pointer_recall"),
        mean("pointer_precision"),
        mean("median_error_px"),
        mean("scene_f1"),
        mean("box_iou"),
    )


def cpu_by_stage(dataset: Dataset) -> tuple[dict[str, float], float]:
    """CPU seconds by stage over all items, and seconds of media."""
    cpu_s: dict[str, float] = {}
    media_s = 0.0
    for row in dataset.rows("items", ["timings", "duration_s"]).to_pylist():
        media_s += row["duration_s"] or 0.0
        for timing in row["timings"] or ():
            cpu_s[timing["stage"]] = cpu_s.get(timing["stage"], 0.0) + timing["cpu_s"]
    return cpu_s, media_s


def _score(
    name: str,
    truth: Mapping[str, Any],
    item: Mapping[str, Any] | None,
    text: str,
    samples: Sequence[Mapping[str, Any]],
) -> LectureScore:
    if item is None or item["verdict"] != "done":
        return LectureScore(name, 1.0, 0.0, 0.0, float("inf"), 0.0, 0.0)
    width_px, height_px = item["width_px"], item["height_px"]
    trace = item["trace"]
    pointer = pointer_scores(
        truth["pointer"],
        {
            "t_s": trace["t_s"],
            "x_px": np.array(trace["x"]) * width_px,
            "y_px": np.array(trace["y"]) * height_px,
        },
        width_px,
        height_px,
    )
    scenes = [scene for sample in samples for scene in sample["scenes"]]
    return LectureScore(
        name=name,
        wer=word_error_rate(truth["text"], text),
        pointer_recall=pointer.recall,
        pointer_precision=pointer.precision,
        median_error_px=pointer.median_error_px,
        scene_f1=scene_f1(truth["scenes"], scenes),
        box_iou=mean_box_iou(truth["phrases"], list(_found_phrases(samples))),
    )


def _found_phrases(samples: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """The phrases of an item with their best box in pixels of the frame."""
    for sample in samples:
        for narration in sample["narrations"]:
            if narration["kind"] != "roi":
                continue
            left, top, right, bottom = sample["scenes"][narration["scene"]]["box_px"]
            boxes = narration["boxes"]
            box_px = None
            if boxes:
                x0, y0, x1, y1 = boxes[0]["xyxy"]
                wide, tall = right - left, bottom - top
                box_px = [left + x0 * wide, top + y0 * tall, left + x1 * wide, top + y1 * tall]
            yield {
                "phrase": narration["text"],
                "start_s": narration["start_s"],
                "end_s": narration["end_s"],
                "box_px": box_px,
            }
