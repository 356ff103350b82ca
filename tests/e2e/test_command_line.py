"""The verbs as others script against them: exit codes and JSON, to the letter."""

import json
from pathlib import Path

import pytest

from medpipe.demo.judge import bundled_lectures
from tests.support import command

DEMO_KEYS = {
    "wer",
    "pointer_recall",
    "pointer_precision",
    "median_error_px",
    "scene_f1",
    "box_iou",
    "items",
    "samples",
    "rejects",
    "dataset",
    "report",
}


def test_extract_writes_points_scenes_and_images(tmp_path: Path) -> None:
    video = min(bundled_lectures(), key=lambda path: path.stat().st_size)
    ran = command.run(
        "extract", video, "--json", tmp_path / "out.json", "--images", tmp_path / "images"
    )
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "out.json").read_text())

    assert set(found) == {"video", "points", "others", "scenes", "timing"}
    assert set(found["video"]) == {
        "width_px", "height_px", "duration_s", "frames", "decoder", "broken"
    }  # fmt: skip
    assert set(found["points"][0]) == {"t_s", "x_px", "y_px", "confidence", "kind"}
    assert set(found["timing"]) == {"decode_s", "total_s"}
    wide, high = found["video"]["width_px"], found["video"]["height_px"]
    assert all(0 <= p["x_px"] <= wide and 0 <= p["y_px"] <= high for p in found["points"])
    times = [p["t_s"] for p in found["points"]]
    assert times == sorted(times)
    for scene in found["scenes"]:
        assert set(scene) == {"start_s", "end_s", "image", "box_px", "trace"}
        assert (tmp_path / "images" / scene["image"]).read_bytes().startswith(b"\x89PNG")
        assert all(len(point) == 4 for point in scene["trace"])


def test_transcribe_writes_words_with_times(tmp_path: Path) -> None:
    video = min(bundled_lectures(), key=lambda path: path.stat().st_size)
    ran = command.run("transcribe", video, "--json", tmp_path / "out.json")
    assert ran.code == 0, ran.err
    heard = json.loads((tmp_path / "out.json").read_text())

    assert {"language", "duration_s", "words", "segments", "timing"} == set(heard)
    assert heard["language"] == "en"
    assert len(heard["words"]) > 20
    assert set(heard["words"][0]) == {"text", "start_s", "end_s", "probability", "suspect"}


@pytest.mark.parametrize("verb", ["extract", "transcribe"])
def test_a_file_that_is_no_video_is_a_clear_usage_error(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    more = ["--images", tmp_path] if verb == "extract" else []
    ran = command.run(verb, path, "--json", tmp_path / "out.json", *more)
    assert ran.code == 2
    assert "notes.mp4" in ran.err
    assert "Traceback" not in ran.err


def test_wrong_settings_exit_2_and_propose_the_right_name(tmp_path: Path) -> None:
    ran = command.run("run", "x.mp4", "--out", tmp_path, "--set", "transcribe.modle=tiny")
    assert ran.code == 2
    assert "did you mean 'model'" in ran.err
    assert command.run("run", tmp_path / "none.mp4", "--out", tmp_path / "o").code == 2
    assert command.run("status").code == 2
    assert command.run("no-such-verb").code == 2


def test_a_queue_is_fed_and_shown(tmp_path: Path) -> None:
    queue = tmp_path / "queue.sqlite"
    lectures = bundled_lectures()
    first = command.run("enqueue", *lectures[:2], "--queue", queue, "--json")
    again = command.run("enqueue", *lectures, "--queue", f"sqlite://{queue}", "--json")
    shown = command.run("status", "--queue", queue, "--json")

    assert first.json == {"new": 2, "known": 0, "doubles": 0, "refused": []}
    assert again.json["new"] == 1
    assert shown.json["queue"]["ready"] == 3
    refused = command.run("enqueue", tmp_path / "gone.mp4", "--queue", queue, "--json")
    assert refused.code == 2
    assert refused.json["refused"][0]["code"] == "missing_file"


def test_the_doctor_says_what_it_saw() -> None:
    ran = command.run("doctor", "--json")
    assert ran.code == 0, ran.out
    found = {finding["what"]: finding for finding in ran.json}
    assert found["speech model"]["ok"]
    assert found["ray"]["seen"] == "2.60.0"


@pytest.mark.ray
def test_the_demo_meets_its_bars_and_prints_one_object(tmp_path: Path) -> None:
    ran = command.run("demo", "--out", tmp_path / "demo", "--json")
    assert ran.code == 0, ran.err
    figures = ran.json

    assert set(figures) == DEMO_KEYS
    assert figures["wer"] <= 0.20
    assert figures["pointer_recall"] >= 0.85
    assert figures["pointer_precision"] >= 0.95
    assert figures["median_error_px"] <= 3
    assert figures["scene_f1"] >= 0.85
    assert figures["box_iou"] >= 0.5
    assert figures["items"] == 3
    assert Path(figures["report"]).stat().st_size > 100_000


@pytest.mark.ray
def test_a_limit_ends_the_run_in_good_order_and_the_same_command_goes_on(tmp_path: Path) -> None:
    lectures = bundled_lectures()
    common = ["--out", tmp_path / "out", "--recipe", "demo", "--json"]
    one_by_one = ["--set", "scheduling.items_in_flight=1"]
    first = command.run("run", *lectures, *common, *one_by_one, "--limit", "1")
    second = command.run("run", *lectures, *common, "--set", "prices.cpu_hour_usd=0.1")

    assert first.code == 0, first.err
    assert first.json["limit"] == "--limit 1"
    assert first.json["left"] == 3 - first.json["funnel"]["done"] > 0
    assert second.code == 0, second.err
    assert second.json["funnel"]["done"] == 3
    assert second.json["tally"]["cost_usd"] > 0
    unpriced = command.run("run", *lectures, *common, "--max-cost", "1")
    assert unpriced.code == 2
    assert "prices.cpu_hour_usd" in unpriced.err
