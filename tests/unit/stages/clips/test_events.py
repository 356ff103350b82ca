"""What becomes a clip: phrases that were pointed at, with their neighbours, in one scene."""

from itertools import pairwise

import pytest

from medpipe.records import Narration, ScoredBox, Trace, Word
from medpipe.stages.clips import ClipConfig, events_of, said_between

CONFIG = ClipConfig()
MINUTES = 600.0


def said(
    start_s: float,
    end_s: float,
    *,
    kind: str = "roi",
    scene: int = 0,
    score: float | None = 0.5,
    negated: bool = False,
    text: str = "lens",
) -> Narration:
    """A narration whose words share its time evenly."""
    words = text.split()
    step = (end_s - start_s) / len(words)
    box = ScoredBox(x0=0, y0=0, x1=1, y1=1, score=score or 0, n_points=1, method="dwell")
    return Narration(
        scene=scene,
        kind=kind,
        text=text,
        raw_text=text,
        start_s=start_s,
        end_s=end_s,
        words=tuple(
            Word(text=w, start_s=start_s + k * step, end_s=start_s + (k + 1) * step, probability=1)
            for k, w in enumerate(words)
        ),
        negated=negated,
        deictic=False,
        trace=Trace.empty(),
        boxes=() if score is None else (box,),
    )


def test_an_event_shows_its_phrase_with_a_margin() -> None:
    (event,) = events_of([said(20, 24)], MINUTES, CONFIG)

    assert (event.start_s, event.end_s) == (20 - CONFIG.pad_s, 24 + CONFIG.pad_s)


def test_a_short_phrase_gets_the_shortest_clip_around_its_middle() -> None:
    (event,) = events_of([said(20, 20.2)], MINUTES, CONFIG)

    assert (event.start_s, event.end_s) == pytest.approx((18.6, 21.6))


def test_phrases_whose_margins_meet_share_an_event() -> None:
    near, far = said(21, 22), said(30, 31)

    events = events_of([far, near, said(19, 20)], MINUTES, CONFIG)

    assert [[n.start_s for n in event.phrases] for event in events] == [[19, 21], [30]]


def test_an_event_does_not_outgrow_the_longest_clip() -> None:
    run = [said(t, t + 1) for t in range(10, 90, 2)]

    events = events_of(run, MINUTES, CONFIG)

    assert all(event.end_s - event.start_s <= CONFIG.max_s for event in events)
    assert sum(len(event.phrases) for event in events) == len(run)


def test_one_endless_phrase_is_cut_to_its_middle() -> None:
    (event,) = events_of([said(100, 200)], MINUTES, CONFIG)

    assert (event.start_s, event.end_s) == (140, 160)


def test_an_event_stays_in_its_scene() -> None:
    events = events_of([said(10, 11, scene=0), said(11.5, 12, scene=1)], MINUTES, CONFIG)

    assert [event.scene for event in events] == [0, 1]


def test_what_was_not_pointed_at_or_is_not_there_is_no_event() -> None:
    nothing = [said(10, 11, score=None), said(20, 21, negated=True), said(30, 33, kind="medical")]

    assert events_of(nothing, MINUTES, CONFIG) == []


def test_of_too_many_the_surest_are_kept_in_order_of_time() -> None:
    config = CONFIG.model_copy(update={"max_per_item": 2})
    scores = {10.0: 0.9, 30.0: 0.1, 50.0: 0.8}

    events = events_of([said(t, t + 1, score=s) for t, s in scores.items()], MINUTES, config)

    assert [event.phrases[0].start_s for event in events] == [10, 50]


def test_events_stay_inside_the_video() -> None:
    events = events_of([said(0.1, 0.4), said(598.9, 599.9)], MINUTES, CONFIG)

    assert [(event.start_s, event.end_s) for event in events] == [(0, 3), (597, 600)]
    assert all(a.end_s <= b.start_s for a, b in pairwise(events))


def test_the_text_of_a_clip_is_what_is_said_in_it() -> None:
    sentence = said(10, 14, kind="medical", text="here is the lens")

    assert said_between([sentence, said(13, 14)], 10.9, 13.1) == "is the"


def test_a_word_of_two_parts_of_a_sentence_is_said_once() -> None:
    sentence = said(10, 14, kind="medical", text="here is the lens")

    assert said_between([sentence, sentence], 0, 99) == "here is the lens"


def test_lengths_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="over max_s"):
        ClipConfig(min_s=30)
