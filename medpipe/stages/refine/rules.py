"""The rule-based refiner: a transcript in, sentences with phrases and negation out."""

from collections.abc import Sequence
from typing import Final

from medpipe.records import Drop, Phrase, Reading, Sentence, Transcript, Word
from medpipe.stages.refine.chunks import Chunk, chunks_of
from medpipe.stages.refine.config import RefineConfig
from medpipe.stages.refine.lexicon import CHATTER
from medpipe.stages.refine.negation import negated_tokens
from medpipe.stages.refine.sentences import sentence_spans
from medpipe.stages.refine.tags import Token, tokens_of

METHOD: Final = "rules-1"
_STAGE: Final = "refine"


def refine(transcript: Transcript, config: RefineConfig) -> Reading:
    """Read a transcript by English rules; nothing is invented and nothing leaves the machine.

    Args:
        transcript: As heard.
        config: Where sentences end and what is left out.

    Returns:
        Sentences in order, each with its noun phrases; suspect words are in neither text. What is
        left out stands in `drops` (`suspect_words`, `chatter`, `no_words`). In another language
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
        sentence = _sentence(words, sure, config, english=english)
        if sentence is None:
            drops.append(_drop("no_words", words[first:end]))
        elif config.drop_chatter and english and _is_chatter(sentence):
            drops.append(_drop("chatter", words[first:end]))
        else:
            sentences.append(sentence)
    return Reading(method=METHOD, sentences=tuple(sentences), drops=tuple(drops))


def _sentence(
    words: Sequence[Word], sure: list[int], config: RefineConfig, *, english: bool
) -> Sentence | None:
    tokens = tokens_of([(i, words[i].text) for i in sure])
    if not tokens:
        return None
    phrases: list[Phrase] = []
    negates = False
    if english:
        negated, negates = negated_tokens(tokens)
        phrases = [
            _phrase(words, tokens, chunk, negated)
            for chunk in chunks_of(tokens, config.max_phrase_words)
        ]
    return Sentence(
        text=_sentence_text(tokens),
        raw_text=_raw(words, sure),
        first_word=sure[0],
        end_word=sure[-1] + 1,
        start_s=words[sure[0]].start_s,
        end_s=max(words[sure[0]].start_s, words[sure[-1]].end_s),
        negated=negates,
        phrases=tuple(phrases),
    )


def _phrase(
    words: Sequence[Word], tokens: Sequence[Token], chunk: Chunk, negated: set[int]
) -> Phrase:
    inside = tokens[chunk.first : chunk.end]
    first, end = inside[0].index, inside[-1].index + 1
    sure = [i for i in range(first, end) if words[i].suspect is None]
    return Phrase(
        text=" ".join(_cased(t) for t in tokens[chunk.core : chunk.end]),
        raw_text=_raw(words, sure),
        first_word=first,
        end_word=end,
        start_s=words[first].start_s,
        end_s=max(words[first].start_s, words[end - 1].end_s),
        negated=any(place in negated for place in range(chunk.core, chunk.end)),
        deictic=chunk.deictic,
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


def _is_chatter(sentence: Sentence) -> bool:
    low = sentence.text.lower()
    return len(sentence.text) < 160 and any(c in low for c in CHATTER)


def _drop(code: str, words: Sequence[Word]) -> Drop:
    return Drop(
        stage=_STAGE,
        kind="phrase",
        code=code,
        detail=" ".join(w.text for w in words)[:200],
        start_s=words[0].start_s,
        end_s=max(words[0].start_s, words[-1].end_s),
    )
