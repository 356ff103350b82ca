"""Count what the reader found, missed and made up in marked sentences."""

from collections import Counter
from collections.abc import Sequence

from benchmarks.reading.marked import Mark, Marked, transcript
from medpipe.records import Phrase
from medpipe.stages.refine import RefineConfig, refine

ALIKE = 0.5  # the share of words that two spans have in common to be the same phrase


def assertions(sentences: Sequence[Marked]) -> tuple[dict[str, float], list[str]]:
    """Judge `negated` and `hedged` of the phrase that holds each mark's last word.

    Returns:
        Precision and recall of both flags (a mark in no phrase is not found); how many absent
        findings stand as evidence, how many marks stand in no phrase; and each mistake in words.
    """
    count: Counter[str] = Counter()
    wrong: list[str] = []
    for sentence in sentences:
        phrases = _phrases(sentence.text)
        for mark in sentence.marks:
            found = next((p for p in phrases if p.first_word < mark.end <= p.end_word), None)
            negated, hedged = bool(found and found.negated), bool(found and found.hedged)
            count["unread"] += found is None
            count["absent"] += mark.kind == "-"
            count["offered"] += mark.kind == "-" and found is not None and not negated
            _tally(count, "negated", mark.kind == "-", negated)
            _tally(count, "hedged", mark.kind == "?", hedged)
            if (negated, hedged) != (mark.kind == "-", mark.kind == "?"):
                held = "" if found is None else f" in {found.text!r}"
                wrong.append(f"{mark.kind} {_said(sentence, mark)!r}{held}: {sentence.text}")
    return {
        **_rates(count, "negated"),
        **_rates(count, "hedged"),
        "absent": count["absent"],
        "absent_offered_as_evidence": count["offered"],
        "in_no_phrase": count["unread"],
    }, wrong


def phrases(sentences: Sequence[Marked]) -> tuple[dict[str, float], list[str]]:
    """Judge which phrases were found, and what "here" was taken for.

    Returns:
        Precision and recall (two spans that share half of their words or more are the same), the
        share of exact texts among the hits, the share of "here" that got its noun; and mistakes.
    """
    count: Counter[str] = Counter()
    wrong: list[str] = []
    for sentence in sentences:
        found = _phrases(sentence.text)
        left = list(found)
        for mark in sentence.marks:
            hit = next((p for p in left if _alike(p, mark) >= ALIKE), None)
            if hit is None:
                wrong.append(f"missed {_said(sentence, mark)!r}: {sentence.text}")
                continue
            left.remove(hit)
            count["both"] += 1
            wanted = mark.noun or _said(sentence, mark)
            exact = hit.text.lower() == wanted.lower()
            count["exact"] += exact
            count["noun"] += exact and bool(mark.noun)
        wrong += [f"made up {p.text!r}: {sentence.text}" for p in left]
        count["wanted"] += len(sentence.marks)
        count["given"] += len(found)
        count["here"] += sum(bool(mark.noun) for mark in sentence.marks)
    return {
        "precision": _share(count["both"], count["given"]),
        "recall": _share(count["both"], count["wanted"]),
        "exact": _share(count["exact"], count["both"]),
        "here_named": _share(count["noun"], count["here"]),
    }, wrong


def dropped(lines: Sequence[tuple[str, str]]) -> tuple[dict[str, float], list[str]]:
    """Judge which sentences were left out, and under which code.

    Returns:
        Precision, recall, the share of right codes among what was rightly left out; and mistakes.
    """
    count: Counter[str] = Counter()
    wrong: list[str] = []
    for code, said in lines:
        drops = refine(transcript(said), RefineConfig()).drops
        given = drops[0].code if drops else "teach"
        _tally(count, "talk", code != "teach", given != "teach")
        count["right"] += code == given != "teach"
        if code != given:
            wrong.append(f"{code} as {given}: {said}")
    right = _share(count["right"], count["talk both"])
    return {**_rates(count, "talk"), "code_right": right}, wrong


def _phrases(text: str) -> list[Phrase]:
    reading = refine(transcript(text), RefineConfig())
    return [phrase for sentence in reading.sentences for phrase in sentence.phrases]


def _said(sentence: Marked, mark: Mark) -> str:
    return " ".join(w.strip(",.;:?!") for w in sentence.text.split()[mark.first : mark.end])


def _alike(phrase: Phrase, mark: Mark) -> float:
    shared = min(phrase.end_word, mark.end) - max(phrase.first_word, mark.first)
    union = max(phrase.end_word, mark.end) - min(phrase.first_word, mark.first)
    return max(shared, 0) / union


def _tally(count: Counter[str], name: str, wanted: bool, given: bool) -> None:
    count[f"{name} wanted"] += wanted
    count[f"{name} given"] += given
    count[f"{name} both"] += wanted and given


def _rates(count: Counter[str], name: str) -> dict[str, float]:
    return {
        f"{name}_precision": _share(count[f"{name} both"], count[f"{name} given"]),
        f"{name}_recall": _share(count[f"{name} both"], count[f"{name} wanted"]),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
