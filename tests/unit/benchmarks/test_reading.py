from pathlib import Path

import pytest

from benchmarks.reading import score
from benchmarks.reading.marked import HERE, Mark, Marked, marked_sentences, talk

FOLDERS = ("judged", "tuning")


def marked(tmp_path: Path, *lines: str) -> list[Marked]:
    path = tmp_path / "marked.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return marked_sentences(path)


def test_marks_are_places_of_words_and_leave_the_text(tmp_path: Path) -> None:
    (line,) = marked(tmp_path, "# note", "No {-free air}, the [optic disc] is right [here=disc].")

    assert line.text == "No free air, the optic disc is right here."
    assert line.marks == (Mark(1, 3, "-"), Mark(4, 6), Mark(8, 9, noun="disc"))


def test_an_absent_finding_that_is_read_as_there_is_counted(tmp_path: Path) -> None:
    rates, wrong = score.assertions(marked(tmp_path, "You see a {-mass} and no {-cyst}."))

    assert (rates["absent"], rates["absent_offered_as_evidence"]) == (2, 1)
    assert (rates["negated_precision"], rates["negated_recall"]) == (1.0, 0.5)
    assert len(wrong) == 1


def test_phrases_are_counted_by_shared_words(tmp_path: Path) -> None:
    lines = marked(tmp_path, "The [optic disc] is [here=optic disc].", "A [lens] and an iris.")

    rates, wrong = score.phrases(lines)

    assert (rates["precision"], rates["recall"]) == (0.75, 1.0)
    assert (rates["exact"], rates["here_named"]) == (1.0, 1.0)
    assert wrong == ["made up 'iris': A lens and an iris."]


def test_talk_counts_what_was_left_out_and_why() -> None:
    lines = [("quiz", "Thanks for watching."), ("teach", "You see the lens."), ("quiz", "A lens.")]

    rates, _ = score.dropped(lines)

    assert rates == {"talk_precision": 1.0, "talk_recall": 0.5, "code_right": 0.0}


@pytest.mark.parametrize("name", ["assertions.txt", "phrases.txt"])
def test_no_sentence_is_both_tuned_on_and_judged(name: str) -> None:
    folders = (marked_sentences(HERE / folder / name) for folder in FOLDERS)
    judged, tuned = ({line.text.lower() for line in lines} for lines in folders)

    assert not judged & tuned


def test_no_talk_is_both_tuned_on_and_judged() -> None:
    judged, tuned = ({said for _, said in talk(HERE / f / "talk.tsv")} for f in FOLDERS)

    assert not judged & tuned
