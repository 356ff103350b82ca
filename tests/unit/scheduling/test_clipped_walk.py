"""With clips, whoever holds the file is needed until the rows are written."""

import pytest

from medpipe.config import load_config
from medpipe.pipeline import CLIPPED_WALK, VIDEO_WALK, video_walk
from medpipe.scheduling import LetGo, Release
from tests.support.scheduling import DIED, A, Job, of, steps


def heard_and_seen(walk: tuple[object, ...]) -> Job:
    job = Job(A, walk=walk)
    job.out += job.done(A, "acquire")
    job.out += job.done(A, "extract", "transcribe")
    return job


def test_the_walk_is_chosen_by_the_config() -> None:
    assert video_walk(load_config(overrides=["clips.enabled=true"], environ={})) is CLIPPED_WALK
    assert video_walk(load_config(environ={})) is VIDEO_WALK


def test_the_steps_and_their_order_are_the_same() -> None:
    assert [(s.name, s.pool, s.needs) for s in CLIPPED_WALK] == [
        (s.name, s.pool, s.needs) for s in VIDEO_WALK
    ]


def test_the_file_is_let_go_once_the_rows_are_written() -> None:
    job = heard_and_seen(CLIPPED_WALK)

    assert (A, "write") in job.runs
    assert of(job.out, LetGo) == []
    assert [order.item_id for order in of(job.done(A, "write"), LetGo)] == [A]


@pytest.mark.parametrize(("walk", "again"), [(CLIPPED_WALK, [A]), (VIDEO_WALK, [])])
def test_who_holds_the_file_may_die_while_rows_are_written_only_without_clips(
    walk: tuple[object, ...], again: list[str]
) -> None:
    job = heard_and_seen(walk)

    out = job.dies(A, "extract", DIED)

    assert [order.item_id for order in of(out, Release)] == again
    assert steps(out) == []
