"""Put words, trace and image together: one narration a sentence and one a phrase."""

from collections.abc import Sequence
from typing import NamedTuple

from medpipe.records import (
    Alignment,
    Drop,
    Narration,
    Phrase,
    Reading,
    Scene,
    ScoredBox,
    Sentence,
    Trace,
    Transcript,
    Word,
)
from medpipe.stages.align.boxes import boxes_of_phrase
from medpipe.stages.align.config import AlignConfig
from medpipe.stages.align.kmeans import Clusters
from medpipe.stages.align.lists import boxes_in_order, led_by
from medpipe.stages.align.placing import parts_by_scene, scene_at
from medpipe.stages.align.segments import word_points
from medpipe.stages.align.shift import estimated_shift

_STAGE = "align"


class _Flags(NamedTuple):
    negated: bool
    deictic: bool
    hedged: bool


def align(
    reading: Reading, transcript: Transcript, scenes: Sequence[Scene], config: AlignConfig
) -> Alignment:
    """Make the narrations of a video.

    Args:
        reading: Sentences and phrases; their word numbers are the transcript's.
        transcript: Words with their times, seconds from the video's start.
        scenes: In order of time, not overlapping; each trace starts at its scene's start.
        config: Windows, gestures and boxes.

    Returns:
        A `medical` narration for every sentence (or for each part of one that runs over a change
        of scene) and a `roi` narration for every phrase, in order of scene and time. Boxes of what
        is said not to be there are flagged: they are no evidence of it. Sentences that no scene is
        near to are dropped as `no_scene`.
    """
    shift_s = None
    if config.estimate_shift:
        phrases = [p for s in reading.sentences for p in s.phrases]
        shift_s = estimated_shift(phrases, scenes, config)
    words = [_moved(word, shift_s or 0.0) for word in transcript.words]
    narrations: list[Narration] = []
    drops: list[Drop] = []
    for sentence in reading.sentences:
        made = _narrations(sentence, words, scenes, config)
        narrations += made
        if not made:
            drops.append(
                Drop(
                    stage=_STAGE,
                    kind="phrase",
                    code="no_scene",
                    detail=sentence.text[:200],
                    start_s=sentence.start_s,
                    end_s=sentence.end_s,
                )
            )
    narrations.sort(key=lambda n: (n.scene, n.start_s, n.kind, -n.end_s))
    return Alignment(tuple(narrations), tuple(drops), shift_s)


def _moved(word: Word, shift_s: float) -> Word:
    if not shift_s:
        return word
    start = max(word.start_s + shift_s, 0.0)
    return word.model_copy(update={"start_s": start, "end_s": max(word.end_s + shift_s, start)})


def _narrations(
    sentence: Sentence, words: Sequence[Word], scenes: Sequence[Scene], config: AlignConfig
) -> list[Narration]:
    """The sentence's parts, then its phrases."""
    places = _sure(words, sentence.first_word, sentence.end_word)
    parts = parts_by_scene(
        words,
        places,
        scenes,
        max_gap_s=config.max_gap_s,
        min_words=config.min_words,
        min_share=config.min_share,
    )
    made = [_of_part(sentence, part, scenes[k], words, config, len(parts)) for k, part in parts]
    if parts:
        made += _of_phrases(sentence, words, scenes, parts[0][0], config)
    return made


def _sure(words: Sequence[Word], first: int, end: int) -> list[int]:
    return [i for i in range(first, end) if words[i].suspect is None]


def _of_part(
    sentence: Sentence,
    part: list[int],
    scene: Scene,
    words: Sequence[Word],
    config: AlignConfig,
    parts: int,
) -> Narration:
    inside = [p for p in sentence.phrases if part[0] <= p.first_word < p.end_word <= part[-1] + 1]
    raw = " ".join(words[i].text for i in part)
    whole = parts == 1
    any_phrase = any(p.negated for p in sentence.phrases)
    negated = any(p.negated for p in inside) if any_phrase and not whole else sentence.negated
    hedged = sentence.hedged if whole else any(p.hedged for p in inside)
    return _narration(
        scene,
        "medical",
        (sentence.text, sentence.raw_text) if whole else (raw.rstrip(",;:"), raw),
        [words[i] for i in part],
        _Flags(negated, any(p.deictic for p in inside), hedged),
        config,
    )


def _of_phrases(
    sentence: Sentence,
    words: Sequence[Word],
    scenes: Sequence[Scene],
    fallback: int,
    config: AlignConfig,
) -> list[Narration]:
    """One narration a phrase; those of one scene are given their places together."""
    placed: dict[int, list[tuple[Phrase, list[Word]]]] = {}
    for phrase in sentence.phrases:
        said = [words[i] for i in _sure(words, phrase.first_word, phrase.end_word)]
        middle_s = (said[0].start_s + said[-1].end_s) / 2
        found = scene_at(scenes, middle_s, config.max_gap_s)
        placed.setdefault(fallback if found is None else found, []).append((phrase, said))
    made: list[Narration] = []
    for place, together in placed.items():
        scene = scenes[place]
        if config.boxes == "kmeans":
            boxes = [_clustered(p, sentence, words, scene, config) for p, _ in together]
        else:
            boxes = _stayed([said for _, said in together], scene, config)
        made += [
            _of_phrase(phrase, said, scene, found, config)
            for (phrase, said), found in zip(together, boxes, strict=True)
        ]
    return made


def _stayed(
    together: Sequence[Sequence[Word]], scene: Scene, config: AlignConfig
) -> list[tuple[ScoredBox, ...]]:
    """Boxes of each phrase by where the pointer stayed."""
    shape = scene.height_px / scene.width_px
    spans_s = [
        (said[0].start_s - scene.start_s, max(said[0].start_s, said[-1].end_s) - scene.start_s)
        for said in together
    ]
    boxes = [boxes_of_phrase(scene.trace, *span_s, shape, config) for span_s in spans_s]
    if len(together) == 1:
        return boxes
    firsts = boxes_in_order(scene.trace, spans_s, shape, config)
    return [
        led_by(first, found, config.box.max_boxes)
        for first, found in zip(firsts, boxes, strict=True)
    ]


def _of_phrase(
    phrase: Phrase,
    said: list[Word],
    scene: Scene,
    boxes: tuple[ScoredBox, ...],
    config: AlignConfig,
) -> Narration:
    if phrase.negated:
        boxes = tuple(box.model_copy(update={"negated": True}) for box in boxes)
    texts = (phrase.text, phrase.raw_text)
    flags = _Flags(phrase.negated, phrase.deictic, phrase.hedged)
    return _narration(scene, "roi", texts, said, flags, config, boxes)


def _clustered(
    phrase: Phrase, sentence: Sentence, words: Sequence[Word], scene: Scene, config: AlignConfig
) -> tuple[ScoredBox, ...]:
    """Boxes as the lineage finds them, with the sentence as the caption."""
    places = _sure(words, sentence.first_word, sentence.end_word)
    said = [_moved(words[i], -min(scene.start_s, words[i].start_s)) for i in places]
    trace = scene.trace.between(said[0].start_s, max(word.end_s for word in said))
    last = max(k for k, i in enumerate(places) if i < phrase.end_word)
    return Clusters(trace, said, config.kmeans).boxes(last)


def _narration(
    scene: Scene,
    kind: str,
    texts: tuple[str, str],
    said: list[Word],
    flags: _Flags,
    config: AlignConfig,
    boxes: tuple[ScoredBox, ...] = (),
) -> Narration:
    start, end = said[0].start_s, max(w.end_s for w in said)
    trace = _window(scene, start - config.lead_s, end + config.lag_s)
    return Narration(
        scene=scene.index,
        kind=kind,
        text=texts[0],
        raw_text=texts[1],
        start_s=start,
        end_s=end,
        words=tuple(said),
        negated=flags.negated,
        deictic=flags.deictic,
        hedged=flags.hedged,
        trace=trace,
        boxes=boxes,
        word_points=word_points(said, trace, scene.start_s),
    )


def _window(scene: Scene, start_s: float, end_s: float) -> Trace:
    """The scene's trace between two times of the video; its own clock is kept."""
    return scene.trace.between(start_s - scene.start_s, end_s - scene.start_s)
