"""The rule-based refiner: a transcript in, sentences with phrases and negation out."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from medpipe.records import Drop, Phrase, Reading, Sentence, Transcript, Word
from medpipe.stages.refine.assertion import Assertions, assertions_of
from medpipe.stages.refine.chunks import Chunk, chunks_of
from medpipe.stages.refine.config import RefineConfig
from medpipe.stages.refine.sentences import sentence_spans
from medpipe.stages.refine.tags import Tag, Token, tokens_of
from medpipe.stages.refine.talk import talk_code

METHOD: Final = "rules-2"
_STAGE: Final = "refine"
_NOTHING_SAID: Final = Assertions(
    frozenset(), frozenset(), negates=False, hedges=False, triggers=()
)


def refine(transcript: Transcript, config: RefineConfig) -> Reading:
    """Read a transcript by English rules; nothing is invented and nothing leaves the machine.

    Args:
        transcript: As heard.
        config: Where sentences end and what is left out.

    Returns:
        Sentences in order, each with its noun phrases; suspect words are in neither text. What is
        left out stands in `drops` (`suspect_words`, `no_words`, and talk beside the lesson:
        `small_talk`, `advertising`, `quiz`, `housekeeping`). In another language
        than English there are sentences but no phrases (`language_without_rules`).
    """
    words = transcript.words
    spans = sentence_spans(words, pause_s=config.pause_s, max_words=config.max_words)
    english = transcript.language in ("en", "und")
    sentences: list[Sentence] = []
    drops: list[Drop] = []
    if not english and words:
        detail = f"no phrases are found in {transcript.language!r}: the rules are English"
        drops.append(
            Drop(stage=_STAGE, kind="phrase", code="language_without_rules", detail=detail)
        )
    for first, end in spans:
        sure = [i for i in range(first, end) if words[i].suspect is None]
        if not sure:
            drops.append(_drop("suspect_words", words[first:end]))
            continue
        tokens = tokens_of([(i, words[i].text) for i in sure])
        if not tokens:
            drops.append(_drop("no_words", words[first:end]))
            continue
        said = assertions_of(tokens) if english else _NOTHING_SAID
        chunks = chunks_of(tokens, said, config.max_phrase_words) if english else []
        code = _talk(tokens, chunks) if english and config.drop_chatter else None
        if code is None:
            sentences.append(_sentence(words, sure, tokens, chunks, said))
        else:
            drops.append(_drop(code, words[first:end]))
    return Reading(method=METHOD, sentences=tuple(sentences), drops=tuple(drops))


def _sentence(
    words: Sequence[Word],
    sure: list[int],
    tokens: Sequence[Token],
    chunks: Sequence[Chunk],
    said: Assertions,
) -> Sentence:
    return Sentence(
        text=_sentence_text(tokens),
        raw_text=_raw(words, sure),
        first_word=sure[0],
        end_word=sure[-1] + 1,
        start_s=words[sure[0]].start_s,
        end_s=max(words[sure[0]].start_s, words[sure[-1]].end_s),
        negated=said.negates,
        hedged=said.hedges,
        phrases=tuple(_phrase(words, tokens, chunk, said) for chunk in chunks),
    )


def _phrase(
    words: Sequence[Word], tokens: Sequence[Token], chunk: Chunk, said: Assertions
) -> Phrase:
    inside = tokens[chunk.first : chunk.end]
    first, end = inside[0].index, inside[-1].index + 1
    sure = [i for i in range(first, end) if words[i].suspect is None]
    return Phrase(
        text=" ".join(_cased(tokens[place]) for place in chunk.thing),
        raw_text=_raw(words, sure),
        first_word=first,
        end_word=end,
        start_s=words[first].start_s,
        end_s=max(words[first].start_s, words[end - 1].end_s),
        negated=not said.negated.isdisjoint(chunk.thing),
        deictic=chunk.deictic,
        hedged=not said.hedged.isdisjoint(chunk.thing),
    )


def _raw(words: Sequence[Word], places: list[int]) -> str:
    return " ".join(words[i].text.strip() for i in places)


def _cased(token: Token) -> str:
    """Lower case, unless the word carries capitals or digits of its own (MRI, pH, T2)."""
    own = token.text[1:] != token.text[1:].lower() or any(c.isdigit() for c in token.text)
    return token.text if own else token.low


def _sentence_text(tokens: Sequence[Token]) -> str:
    """The words with their punctuation, the first letter a capital."""
    text = " ".join(t.text + t.stop for t in tokens).rstrip(",;:")
    return text[:1].upper() + text[1:]


def _talk(tokens: Sequence[Token], chunks: Sequence[Chunk]) -> str | None:
    """The code of talk beside the lesson, or None for a part of the lesson."""
    starts = list(accumulate((len(t.low) + 1 for t in tokens), initial=0))
    things = [
        (starts[c.first], starts[c.end] - 1)
        for c in chunks
        if any(tokens[place].tag is Tag.NOUN for place in range(c.core, c.end))
    ]

    def shown(start: int, end: int) -> bool:
        return any(first < start or last > end for first, last in things)

    return talk_code(" ".join(t.low for t in tokens), shown)


def _drop(code: str, words: Sequence[Word]) -> Drop:
    return Drop(
        stage=_STAGE,
        kind="phrase",
        code=code,
        detail=" ".join(w.text for w in words)[:200],
        start_s=words[0].start_s,
        end_s=max(words[0].start_s, words[-1].end_s),
    )
