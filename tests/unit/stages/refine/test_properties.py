from hypothesis import given
from hypothesis import strategies as st

from medpipe.records import Transcript, Word
from medpipe.stages.refine import RefineConfig, refine

SAID = (
    "the a this no not of and or here mass lesion, right bright optic disc. is see we you there "
    "um enhancing left kidney -- ... 12 mm? which don't slightly appears without (lobe) É"
)


@given(
    st.lists(st.tuples(st.sampled_from(SAID.split()), st.floats(0, 3), st.booleans()), max_size=80)
)
def test_any_words_give_ordered_exact_spans(said: list[tuple[str, float, bool]]) -> None:
    words, at = [], 0.0
    for text, gap, suspect in said:
        at += gap
        words.append(
            Word(
                text=text,
                start_s=at,
                end_s=at + 0.2,
                probability=1,
                suspect="loop" if suspect else None,
            )
        )
    heard = Transcript(
        language="en", duration_s=1, speech_s=1, model="x", words=tuple(words), segments=()
    )

    reading = refine(heard, RefineConfig(max_words=12))

    edge = 0
    for sentence in reading.sentences:
        assert edge <= sentence.first_word < sentence.end_word <= len(words)
        edge = sentence.end_word
        inner = sentence.first_word
        for phrase in sentence.phrases:
            assert inner <= phrase.first_word < phrase.end_word <= sentence.end_word
            inner = phrase.end_word
            sure = [w for w in words[phrase.first_word : phrase.end_word] if w.suspect is None]
            assert phrase.raw_text == " ".join(w.text for w in sure)
            assert phrase.text
            assert phrase.start_s == words[phrase.first_word].start_s
