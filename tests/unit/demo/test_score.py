"""The scorers, on cases worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest

from medpipe.demo.score import (
    box_iou,
    mean_box_iou,
    pointer_scores,
    psnr_db,
    scene_f1,
    word_error_rate,
)

WIDTH, HEIGHT = 300, 400  # diagonal 500: the default radius is 7.5 px


def truth_of(*xy: tuple[float, float] | None, step_s: float = 0.125) -> dict[str, Any]:
    return {
        "t_s": [k * step_s for k in range(len(xy))],
        "x_px": [None if p is None else p[0] for p in xy],
        "y_px": [None if p is None else p[1] for p in xy],
        "visible": [p is not None for p in xy],
    }


def points(*txy: tuple[float, float, float]) -> dict[str, list[float]]:
    return dict(zip(("t_s", "x_px", "y_px"), map(list, zip(*txy, strict=True)), strict=True))


NONE: dict[str, list[float]] = {"t_s": [], "x_px": [], "y_px": []}


def test_the_true_track_scores_full_marks() -> None:
    truth = truth_of((10, 10), (20, 10), (30, 10))

    scores = pointer_scores(truth, points((0, 10, 10), (0.125, 20, 10), (0.25, 30, 10)), 300, 400)

    assert (scores.recall, scores.precision, scores.median_error_px) == (1, 1, 0)
    assert (scores.n_truth, scores.n_found, scores.false_share_hidden) == (3, 3, 0)


def test_a_sparse_track_is_interpolated_at_the_frames_between() -> None:
    truth = truth_of((10, 10), (20, 10), (30, 10))

    scores = pointer_scores(truth, points((0, 10, 10), (0.25, 30, 10)), WIDTH, HEIGHT)

    assert scores.recall == 1


def test_frames_inside_a_gap_of_more_than_a_quarter_second_are_missed() -> None:
    truth = truth_of(*[(10, 10)] * 9)

    scores = pointer_scores(truth, points((0, 10, 10), (1, 10, 10)), WIDTH, HEIGHT)

    assert scores.recall == pytest.approx(4 / 9)  # each end and the frame 0.125 s beside it


def test_a_point_outside_the_radius_counts_in_the_median_but_not_as_found() -> None:
    truth = truth_of((10, 10), (10, 10), (10, 10))

    scores = pointer_scores(
        truth, points((0, 17.5, 10), (0.125, 17.5, 10), (0.25, 18, 10)), WIDTH, HEIGHT
    )

    assert scores.recall == scores.precision == pytest.approx(2 / 3)
    assert scores.median_error_px == 7.5


def test_points_while_hidden_are_false() -> None:
    truth = truth_of((10, 10), (10, 10), None, None)

    scores = pointer_scores(
        truth,
        points((0, 10, 10), (0.125, 10, 10), (0.25, 10, 10), (0.375, 10, 10)),
        WIDTH,
        HEIGHT,
    )

    assert (scores.recall, scores.precision, scores.false_share_hidden) == (1, 0.5, 1)


def test_a_track_that_ends_in_time_claims_nothing_after_its_end() -> None:
    truth = truth_of((10, 10), (10, 10), None, None)

    scores = pointer_scores(truth, points((0, 10, 10), (0.125, 10, 10)), WIDTH, HEIGHT)

    assert scores.false_share_hidden == 0


def test_truth_is_interpolated_at_the_time_of_a_found_point() -> None:
    truth = truth_of((0, 0), (100, 0), step_s=0.25)

    scores = pointer_scores(truth, points((0.125, 50, 0)), WIDTH, HEIGHT)

    assert (scores.precision, scores.median_error_px) == (1, 0)


def test_between_a_visible_and_a_hidden_frame_the_nearer_one_decides() -> None:
    truth = truth_of((10, 10), None, step_s=0.25)

    scores = pointer_scores(truth, points((0.0625, 10, 10), (0.1875, 10, 10)), WIDTH, HEIGHT)

    assert scores.precision == 0.5


def test_order_of_the_found_points_does_not_matter() -> None:
    truth = truth_of((10, 10), (20, 10), (30, 10))

    scores = pointer_scores(truth, points((0.25, 30, 10), (0, 10, 10)), WIDTH, HEIGHT)

    assert scores.recall == scores.precision == 1


def test_nothing_found_has_no_recall_and_no_error() -> None:
    scores = pointer_scores(truth_of((10, 10), None), NONE, WIDTH, HEIGHT)

    assert (scores.recall, scores.precision, scores.n_found) == (0, 1, 0)
    assert math.isnan(scores.median_error_px)


def test_no_pointer_and_none_found_is_right() -> None:
    scores = pointer_scores(truth_of(None, None), NONE, WIDTH, HEIGHT)

    assert (scores.recall, scores.precision, scores.false_share_hidden) == (1, 1, 0)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 times, 1 x"):
        pointer_scores(truth_of((1, 1)), {"t_s": [0, 1], "x_px": [1], "y_px": [1]}, WIDTH, HEIGHT)


def scenes(*spans: tuple[float, float]) -> list[dict[str, float]]:
    return [{"start_s": start, "end_s": end} for start, end in spans]


@pytest.mark.parametrize(
    ("found", "f1"),
    [
        (scenes((0, 10), (10, 20)), 1.0),
        (scenes((0.9, 9.2), (10, 21)), 1.0),
        (scenes((0, 20)), 0.0),
        (scenes((0, 10)), 2 / 3),
        (scenes((0, 10), (0, 10), (10, 20)), 4 / 5),
        ([], 0.0),
    ],
    ids=["same", "within a second", "not cut", "one missing", "one twice", "none"],
)
def test_scene_f1(found: list[dict[str, float]], f1: float) -> None:
    assert scene_f1(scenes((0, 10), (10, 20)), found) == pytest.approx(f1)


def test_scenes_are_paired_so_that_most_match() -> None:
    truth, found = scenes((0, 5), (1, 6)), scenes((0.5, 5.5), (0, 4.5))

    assert scene_f1(truth, found) == 1  # the first truth must leave (0.5, 5.5) to the second


def test_no_scene_and_none_found_is_right() -> None:
    assert scene_f1([], []) == 1


def test_spelling_and_case_are_not_word_errors() -> None:
    assert word_error_rate("The optic disc, colour.", "the optic disk color") == 0


def test_one_wrong_word_in_four() -> None:
    assert word_error_rate("a large round lesion", "a large round legion") == 0.25


@pytest.mark.parametrize(("heard", "rate"), [("", 0.0), ("hello", 1.0)])
def test_nothing_said(heard: str, rate: float) -> None:
    assert word_error_rate("", heard) == rate


@pytest.mark.parametrize(
    ("b", "iou"),
    [((0, 0, 4, 4), 1.0), ((2, 0, 6, 4), 8 / 24), ((4, 0, 8, 4), 0.0), ((1, 1, 1, 3), 0.0)],
    ids=["same", "half beside", "touching", "empty"],
)
def test_box_iou(b: tuple[float, ...], iou: float) -> None:
    assert box_iou((0, 0, 4, 4), b) == iou


def phrase(text: str, start_s: float, end_s: float, box: Any = (0, 0, 4, 4)) -> dict[str, Any]:
    return {"phrase": text, "start_s": start_s, "end_s": end_s, "box_px": box}


def test_a_shared_word_beats_a_longer_overlap() -> None:
    truth = [phrase("the optic disc", 1, 2)]
    found = [phrase("the bright macula", 1, 2, (9, 9, 10, 10)), phrase("Disc,", 1.5, 2)]

    assert mean_box_iou(truth, found) == 1


def test_without_a_shared_word_the_longest_overlap_is_taken() -> None:
    truth = [phrase("the optic disc", 1, 2)]
    found = [phrase("the this", 1, 2), phrase("the thing", 1.5, 2, (9, 9, 10, 10))]

    assert mean_box_iou(truth, found) == 1


def test_missing_phrases_and_missing_boxes_count_as_nothing() -> None:
    truth = [phrase("disc", 1, 2), phrase("macula", 3, 4), phrase("no bleeding", 5, 6)]
    found = [phrase("disc", 1, 2), phrase("macula", 4, 5), phrase("bleeding", 5, 6, None)]

    assert mean_box_iou(truth, found) == pytest.approx(1 / 3)


def test_no_phrase_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="no phrase"):
        mean_box_iou([], [])


def test_psnr_of_a_difference_of_one_everywhere() -> None:
    a = np.full((4, 4, 3), 100, np.uint8)

    assert psnr_db(a, a + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr_db(a, a) == math.inf


def test_psnr_refuses_images_of_different_shapes() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        psnr_db(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
