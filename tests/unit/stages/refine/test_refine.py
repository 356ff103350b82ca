from collections.abc import Sequence

import pytest

from medpipe.records import Phrase, Reading, Transcript, Word
from medpipe.stages.refine import RefineConfig, refine


def transcript(
    text: str,
    *,
    suspects: Sequence[int] = (),
    pauses: dict[int, float] | None = None,
    language: str = "en",
) -> Transcript:
    """Words of 0.25 s, one every half second; `pauses` adds silence before a word."""
    words, at = [], 0.0
    for index, each in enumerate(text.split()):
        at += (pauses or {}).get(index, 0.0)
        suspect = "loop" if index in suspects else None
        words.append(Word(text=each, start_s=at, end_s=at + 0.25, probability=0.5, suspect=suspect))
        at += 0.5
    return Transcript(
        language=language, duration_s=at, speech_s=at, model="x", words=tuple(words), segments=()
    )


def read(text: str, **how: object) -> Reading:
    return refine(transcript(text, **how), RefineConfig())  # type: ignore[arg-type]


def phrases(text: str) -> list[Phrase]:
    return [p for s in read(text).sentences for p in s.phrases]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("This bright spot is the optic disc.", ["bright spot", "optic disc"]),
        ("Here we see a small round lesion.", ["small round lesion"]),
        ("There is a mass in the right lower lobe.", ["mass", "right lower lobe"]),
        ("The tip of the appendix is dilated.", ["tip of the appendix"]),
        ("Notice the blunting of the right costophrenic angle.",
         ["blunting of the right costophrenic angle"]),
        ("Look at the large, pale nuclei of the tumor cells.",
         ["large pale nuclei of the tumor cells"]),
        ("A mildly enlarged heart is visible.", ["mildly enlarged heart"]),
        ("The thorax is what matters, not the white matter.", ["thorax", "white matter"]),
        ("The superior and inferior margins are sharp.", ["superior and inferior margins"]),
        ("This artery supplies the lateral wall.", ["artery", "lateral wall"]),
        ("The scan shows a hypodense mass with irregular borders.",
         ["hypodense mass", "irregular borders"]),
        ("The gallbladder wall is thickened and surrounding fat is stranded.",
         ["gallbladder wall", "surrounding fat"]),
        ("You see a kind of ground glass opacity.", ["ground glass opacity"]),
        ("The vessel divides into two branches.", ["vessel", "two branches"]),
        ("The nodule measures about 12 mm.", ["nodule", "12 mm"]),
        ("It may damage the retina.", ["retina"]),
        ("The kidneys look normal.", ["kidneys"]),
        ("Compare both eyes before you decide.", ["eyes"]),
        ("There's a band-like lymphocytic infiltrate in the upper dermis.",
         ["band-like lymphocytic infiltrate", "upper dermis"]),
        ("On the MRI you see the T2 signal.", ["T2 signal"]),
    ],
)  # fmt: skip
def test_noun_phrases_are_found(text: str, found: list[str]) -> None:
    assert [p.text for p in phrases(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "Now let's move on to the next slide.",
        "I want you to look at this image.",
        "It is quite normal.",
        "There are a lot of things.",
        "On the left side you can see more.",
    ],
)
def test_talk_about_the_lecture_holds_no_phrase(text: str) -> None:
    assert phrases(text) == []


@pytest.mark.parametrize(
    ("text", "pointing"),
    [
        ("Look here.", ["here"]),
        ("The glomerulus is right here.", ["glomerulus"]),
        ("Look at this one.", ["this one"]),
        ("Look at this area.", ["area"]),
        ("This is the optic disc.", ["optic disc"]),
        ("Here is the carina.", ["carina"]),
        ("So here's the carina.", ["carina"]),
        ("Here a branching artery leaves the disc.", ["branching artery"]),
        ("Over here we see the trachea.", ["trachea"]),
        ("These dark dots are nuclei.", ["dark dots"]),
        ("I mean this.", ["this"]),
        ("There is a mass.", []),
        ("The mass is round.", []),
    ],
)
def test_pointing_phrases_are_marked(text: str, pointing: list[str]) -> None:
    assert [p.text for p in phrases(text) if p.deictic] == pointing


@pytest.mark.parametrize(
    ("text", "negated", "there"),
    [
        ("There is no evidence of hemorrhage.", ["hemorrhage"], []),
        ("There is no effusion or pneumothorax, but the heart is enlarged.",
         ["effusion", "pneumothorax"], ["heart"]),
        ("We do not see any hemorrhages, exudates, or edema.",
         ["hemorrhages", "exudates", "edema"], []),
        ("The lung without consolidation is clear.", ["consolidation"], ["lung"]),
        ("Absence of the spleen is rare.", ["spleen"], []),
        ("This is consolidation rather than atelectasis.", ["atelectasis"], ["consolidation"]),
        ("There is no fluid in the right lung.", ["fluid"], ["right lung"]),
        ("There is no fluid, the diaphragm is elevated.", ["fluid"], ["diaphragm"]),
        ("There is no mass and the liver is normal.", ["mass"], ["liver"]),
        ("The pupil is not seen.", ["pupil"], []),
        ("Hydronephrosis is absent.", ["hydronephrosis"], []),
        ("The fracture isn't visible on the radius.", ["fracture"], ["radius"]),
        ("The mediastinum is not widened.", [], ["mediastinum"]),
        ("No doubt this is a melanoma.", [], ["melanoma"]),
        ("It is not only a cyst.", [], ["cyst"]),
        ("Don't forget the hilum.", [], ["hilum"]),
        ("A benign lesion with no necrosis and no atypia.", ["necrosis", "atypia"],
         ["benign lesion"]),
        ("You see a mass.", [], ["mass"]),
        ("There is no hydronephrosis of the right kidney.", ["hydronephrosis"], ["right kidney"]),
        ("The tumor does not invade the rectum.", [], ["tumor", "rectum"]),
        ("I can't see the ligament.", ["ligament"], []),
        ("Sweat glands are seen but hair follicles are not.", ["hair follicles"],
         ["sweat glands"]),
        ("The hematoma has resolved.", ["hematoma"], []),
        ("Unlike a cyst, this mass enhances.", ["cyst"], ["mass"]),
        ("Don't mistake this fissure for a pneumothorax.", ["pneumothorax"], ["fissure"]),
        ("No, this is the aorta.", [], ["aorta"]),
        ("No masses or nodules are present in the breast.", ["masses", "nodules"], ["breast"]),
        ("You don't have to measure this node.", [], ["node"]),
        ("No interval growth of the lesion.", [], ["interval growth of the lesion"]),
        ("The lung has no cyst in its apex.", ["cyst"], ["lung", "apex"]),
        ("The lungs are clear of nodules.", ["nodules"], ["lungs"]),
    ],
)  # fmt: skip
def test_what_is_not_there_is_negated_and_nothing_else(
    text: str, negated: list[str], there: list[str]
) -> None:
    found = phrases(text)

    assert [p.text for p in found if p.negated] == negated
    assert [p.text for p in found if not p.negated] == there


@pytest.mark.parametrize(
    ("text", "hedged", "there"),
    [
        ("This could be an abscess.", ["abscess"], []),
        ("You could see the disc.", [], ["disc"]),
        ("A small tear is possible.", ["small tear"], []),
        ("There is a possible leak at the anastomosis.", ["leak"], ["anastomosis"]),
        ("Invasion of the capsule can't be excluded.", ["invasion"], ["capsule"]),
        ("If this were a sarcoma, the margin would be irregular.", ["sarcoma"], ["margin"]),
        ("His mother had a melanoma.", ["melanoma"], []),
        ("There was a nodule here last year, the scar is new.", ["nodule", "nodule"], ["scar"]),
        ("This is likely a lipoma.", ["lipoma"], []),
        ("You see a lipoma.", [], ["lipoma"]),
        ("She had a melanoma removed ten years ago.", ["melanoma"], []),
        ("If you look at the apex you see a bulla.", [], ["apex", "bulla"]),
    ],
)
def test_what_is_not_vouched_for_is_hedged_and_nothing_else(
    text: str, hedged: list[str], there: list[str]
) -> None:
    found = phrases(text)

    assert [p.text for p in found if p.hedged] == hedged
    assert [p.text for p in found if not p.hedged] == there
    assert not any(p.negated for p in found)
    assert read(text).sentences[0].hedged is bool(hedged)


def test_here_is_named_by_the_phrase_before_it_and_keeps_its_own_time() -> None:
    artery, here = phrases("This gives off the hepatic artery right here.")

    assert (artery.text, here.text) == ("hepatic artery", "hepatic artery")
    assert (here.raw_text, here.first_word, here.deictic) == ("right here.", 6, True)


def test_here_stands_for_nothing_across_a_stop() -> None:
    assert [p.text for p in phrases("That is the aorta, and here it turns.")] == ["aorta", "here"]


@pytest.mark.parametrize(
    "text",
    [
        "She has diabetes and chest pain.",
        "The prognosis is excellent with surgery.",
        "This is a sixty year old woman with fever.",
        "This happens in many countries.",
    ],
)
def test_what_nobody_can_point_at_is_no_phrase(text: str) -> None:
    assert phrases(text) == []


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("There is no mass.", True),
        ("The heart is not enlarged.", True),
        ("No doubt it is a cyst.", False),
        ("You see a mass.", False),
    ],
)
def test_a_sentence_that_negates_says_so(text: str, negated: bool) -> None:
    assert read(text).sentences[0].negated is negated


def test_spans_and_times_are_those_of_the_words() -> None:
    (phrase,) = phrases("Here you see a small round lesion.")

    assert (phrase.first_word, phrase.end_word) == (3, 7)
    assert phrase.raw_text == "a small round lesion."
    assert (phrase.start_s, phrase.end_s) == (1.5, 3.25)


def test_punctuation_ends_sentences_and_abbreviations_do_not() -> None:
    texts = [s.text for s in read("See Fig. 2 for Dr. Smith. The lens is clear.").sentences]

    assert texts == ["See Fig. 2 for Dr. Smith.", "The lens is clear."]


def test_a_pause_ends_a_sentence_without_punctuation() -> None:
    texts = [s.text for s in read("the lens is clear the iris is brown", pauses={4: 2.0}).sentences]

    assert texts == ["The lens is clear", "The iris is brown"]


def test_a_run_without_stops_is_cut_at_its_longest_pause() -> None:
    reading = read("the lens " * 50, pauses={40: 0.5})

    assert reading.sentences[0].end_word == 40
    assert sum(s.end_word - s.first_word for s in reading.sentences) == 100


def test_fillers_and_stutters_go_and_nothing_is_invented() -> None:
    (sentence,) = read("so um this is the the uh left ventricle,").sentences

    assert sentence.text == "So this is the left ventricle"
    assert sentence.raw_text == "so um this is the the uh left ventricle,"


def test_suspect_words_reach_no_text() -> None:
    (sentence,) = read("The bright banana lens is clear.", suspects=[2]).sentences

    assert "banana" not in sentence.text + sentence.raw_text
    assert [p.raw_text for p in sentence.phrases] == ["The bright lens"]
    assert (sentence.first_word, sentence.end_word) == (0, 6)


def test_a_sentence_of_suspects_only_is_a_drop() -> None:
    reading = read("The lens is clear. Thank you.", suspects=[4, 5])

    assert len(reading.sentences) == 1
    (drop,) = reading.drops
    assert (drop.stage, drop.code, drop.start_s) == ("refine", "suspect_words", 2.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Please subscribe to my channel.", "advertising"),
        ("Thanks for watching.", "small_talk"),
        ("So what's your diagnosis?", "quiz"),
        ("The correct answer is B.", "quiz"),
        ("Let's move on to the next case.", "housekeeping"),
    ],
)
def test_talk_beside_the_lesson_is_dropped_with_its_reason(text: str, code: str) -> None:
    reading = read(text)

    assert reading.sentences == ()
    assert [(d.stage, d.kind, d.code) for d in reading.drops] == [("refine", "phrase", code)]


@pytest.mark.parametrize(
    "text",
    [
        "Let's move on to the spleen, which is enlarged.",
        "The answer is a sequestration with its own artery.",
        "Welcome back to the retina: this is the macula.",
        "This appearance excludes a simple cyst.",
        "Hello, this is a frontal view of the lungs, and "
        + "the heart is big, the aorta is long, " * 5
        + "thanks for watching.",
    ],
    ids=["a move", "an answer", "a welcome", "no app", "a long one"],
)
def test_a_sentence_that_shows_something_is_no_small_talk(text: str) -> None:
    assert len(read(text).sentences) == 1


def test_chatter_may_be_kept() -> None:
    kept = refine(transcript("Thanks for watching."), RefineConfig(drop_chatter=False))

    assert len(kept.sentences) == 1


def test_another_language_gives_sentences_without_phrases() -> None:
    reading = read("Das ist die Linse. Keine Blutung.", language="de")

    assert [s.text for s in reading.sentences] == ["Das ist die Linse.", "Keine Blutung."]
    assert all(s.phrases == () for s in reading.sentences)
    assert [d.code for d in reading.drops] == ["language_without_rules"]


def test_an_empty_transcript_gives_an_empty_reading() -> None:
    assert read("") == Reading(method="rules-2", sentences=())
