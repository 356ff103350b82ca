"""Give every word of a sentence a coarse part of speech."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from medpipe.stages.refine import lexicon

_EDGES: Final = "\"'()[]{}-\u201c\u201d\u2018\u2019\u2026\u2013\u2014"
_STOPS: Final = ",.;:!?"
_NUMBER: Final = re.compile(r"\d[\d.,/%x-]*(mm|cm|ml|mg|kg|t)?")


_NOUN_ENDINGS: Final = (
    "tion", "sion", "ment", "ness", "ity", "osis", "itis", "oma", "omas", "emia", "opathy",
    "graphy", "ology", "ism", "ure", "ance", "ence", "tions", "ments", "ities", "oses", "ia", "um",
    "us",
)  # fmt: skip


class Tag(Enum):
    """Coarse parts of speech; NOUN is what is left."""

    DET = "determiner"
    ADJ = "adjective"
    NOUN = "noun"
    NUM = "number"
    VERB = "verb"
    AUX = "auxiliary"
    PREP = "preposition"
    CONJ = "conjunction"
    PRON = "pronoun"
    ADV = "adverb"


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a sentence.

    Attributes:
        index: Place in the transcript.
        text: As heard, without surrounding punctuation.
        low: Lower case of `text`.
        stop: Punctuation that follows it, or nothing.
        tag: Part of speech.
    """

    index: int
    text: str
    low: str
    stop: str
    tag: Tag


def tokens_of(words: Sequence[tuple[int, str]]) -> list[Token]:
    """Tag the words of one sentence.

    Args:
        words: Index in the transcript and text of each.

    Returns:
        One token a word; fillers and stuttered words ("the the") are left out.
    """
    split = [(index, *_split(text)) for index, text in words]
    split = [s for s in split if s[1] and s[1].lower() not in lexicon.FILLERS]
    kept = [
        s
        for place, s in enumerate(split)
        if s[2] or [s[1].lower()] != [f[1].lower() for f in split[place + 1 : place + 2]]
    ]
    lows = [text.lower().replace("\u2019", "'") for _, text, _ in kept]
    first = [_alone(low) for low in lows]
    stops = [stop for _, _, stop in kept]
    tags = _in_context(lows, first, stops)
    return [
        Token(index, text, low, stop, tag)
        for (index, text, stop), low, tag in zip(kept, lows, tags, strict=True)
    ]


def _split(text: str) -> tuple[str, str]:
    """A word and the punctuation after it."""
    core = text.strip().strip(_EDGES)
    if core.lower() in lexicon.ABBREVIATIONS:
        return core, ""
    bare = core.rstrip(_STOPS + _EDGES).lstrip(_STOPS)
    ending = core[len(core.rstrip(_STOPS + _EDGES)) :]
    stop = next((c for c in ending if c in _STOPS), "")
    return bare, stop


def _alone(low: str) -> Tag | None:
    """The tag of a word by itself; None where the neighbours decide."""
    if _NUMBER.fullmatch(low) or low in lexicon.NUMBERS:
        return Tag.NUM
    for tag, words in _CLOSED:
        if low in words:
            return tag
    if low in lexicon.NOUN_OR_VERB:
        return None
    if low in lexicon.ADJECTIVES:
        return Tag.ADJ
    if low in lexicon.NOUNS_BY_LIST or low in lexicon.NOUN_ING:
        return Tag.NOUN
    if low in lexicon.VERBS:
        return None if low.endswith(("ed", "ing")) else Tag.VERB
    return _by_ending(low)


_CLOSED: Final = (
    (Tag.AUX, lexicon.AUXILIARIES),
    (Tag.PRON, lexicon.PRONOUNS),
    (Tag.DET, lexicon.DETERMINERS),
    (Tag.CONJ, lexicon.CONJUNCTIONS),
    (Tag.ADJ, lexicon.ORDINALS),
    (Tag.PREP, lexicon.PREPOSITIONS - lexicon.ADJECTIVES),
    (Tag.ADV, lexicon.ADVERBS),
)


def _by_ending(low: str) -> Tag | None:
    if len(low) > 5 and low.endswith(("ed", "ing")):
        return None
    if len(low) > 4 and low.endswith("ly") and not low.endswith(("megaly", "dactyly")):
        return Tag.ADV
    if len(low) > 4 and low.endswith(lexicon.ADJECTIVE_SUFFIXES):
        return Tag.ADJ
    return Tag.NOUN


def _in_context(lows: list[str], alone: list[Tag | None], stops: list[str]) -> list[Tag]:
    """Decide what words alone leave open, from left to right."""
    tags: list[Tag] = []
    for index, tag in enumerate(alone):
        before = tags[-1] if tags and not stops[index - 1] else None
        follows = index + 1 < len(alone) and not stops[index]
        after = alone[index + 1] if follows else Tag.CONJ
        found = tag or _open(lows[index], before, after)
        if found is Tag.VERB and _names(lows, tags, before):
            found = Tag.NOUN
        acts = found is Tag.NOUN and _acts(lows, tags, stops, before, after)
        tags.append(Tag.VERB if acts else found)
    return tags


def _names(lows: list[str], tags: list[Tag], before: Tag | None) -> bool:
    """Is the verb after `tags` used as a noun ("a lymphocytic infiltrate")?"""
    if before is Tag.ADJ:
        return True
    return before is Tag.DET and lows[len(tags) - 1] not in lexicon.POINTING


def _acts(
    lows: list[str], tags: list[Tag], stops: list[str], before: Tag | None, after: Tag | None
) -> bool:
    """Is the word after `tags`, which no list knows as a verb, used as one?"""
    index = len(tags)
    low = lows[index]
    if low in lexicon.NOUNS_BY_LIST or low.endswith(_NOUN_ENDINGS):
        return False
    takes_object = after in (Tag.DET, Tag.PRON)
    back = index - 1
    while back >= 0 and tags[back] is Tag.ADV and not stops[back]:
        if lows[back] in lexicon.MODALS:
            break
        back -= 1
    if takes_object and (before is Tag.NOUN or back < 0 or lows[back] == "to"):
        return True
    return back >= 0 and not stops[back] and lows[back] in lexicon.MODALS


def _open(low: str, before: Tag | None, after: Tag | None) -> Tag:
    """Noun, verb or participle, by what stands before and after."""
    led = before in (Tag.DET, Tag.ADJ, Tag.NUM)
    nominal = after in (Tag.NOUN, Tag.ADJ, None)
    if low in lexicon.NOUN_OR_VERB:
        if before is Tag.PREP and after not in (Tag.DET, Tag.PRON):
            return Tag.NOUN
        if led or (before in (None, Tag.CONJ) and after in (Tag.PREP, Tag.NOUN, Tag.AUX)):
            return Tag.NOUN
        if before is Tag.NOUN:
            opens_object = after in (Tag.DET, Tag.PRON, Tag.ADV, Tag.ADJ, Tag.NUM)
            return Tag.VERB if opens_object or low in lexicon.VERBS else Tag.NOUN
        if before in (Tag.VERB, Tag.AUX) and low.endswith("ing"):
            return Tag.VERB if after in (Tag.DET, Tag.PRON) else Tag.NOUN
        acts = before in (Tag.PREP, Tag.PRON, Tag.AUX, Tag.ADV, None)
        return Tag.VERB if acts else Tag.NOUN
    if nominal and before in (Tag.DET, Tag.ADJ, Tag.NUM, Tag.PREP, Tag.VERB, Tag.AUX, Tag.ADV):
        return Tag.ADJ
    if nominal and before in (None, Tag.CONJ) and low.endswith("ed"):
        return Tag.ADJ
    if led and low.endswith("ing"):
        return Tag.NOUN
    return Tag.VERB
