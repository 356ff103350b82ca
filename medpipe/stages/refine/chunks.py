"""Find noun phrases that a pointer may have shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from medpipe.stages.refine import lexicon
from medpipe.stages.refine.assertion import Assertions
from medpipe.stages.refine.tags import Tag, Token
from medpipe.stages.refine.unseen import unseen

_INNER: Final = frozenset({Tag.ADJ, Tag.NOUN, Tag.NUM})
_SHOWS: Final = frozenset({"is", "are", "was", "were"})
_HAVE: Final = frozenset({"have", "see", "find", "note", "notice", "get"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A noun phrase as places in the sentence's tokens: `tokens[first:end]`.

    Attributes:
        first: First token, determiner included.
        core: First token after determiners.
        end: One past the last token.
        deictic: It points.
        noun: Where the noun phrase stands that "here" is about, or None.
    """

    first: int
    core: int
    end: int
    deictic: bool = False
    noun: tuple[int, int] | None = None

    @property
    def thing(self) -> range:
        """Places of the words that say what it is."""
        return range(*self.noun) if self.noun else range(self.core, self.end)


def chunks_of(tokens: Sequence[Token], said: Assertions, max_words: int) -> list[Chunk]:
    """Find the noun phrases and pointing words of one sentence.

    Args:
        tokens: The sentence.
        said: What the sentence says of its words; phrases are parted where that ends:
            "hydronephrosis of the kidney", denied, is two, for the kidney is there.
        max_words: A longer phrase loses its `of` parts, then its first words.

    Returns:
        Chunks in order, not overlapping. What nobody can point at is left out: the lecture itself
        ("this image", "the next slide"), complaints, cures, people. "here" is named by the nearest
        noun phrase before it in its clause.
    """
    chunks: list[Chunk] = []
    place = 0
    while place < len(tokens):
        chunk = _pointing(tokens, place) or _noun_phrase(tokens, place, max_words)
        if chunk is None:
            place += 1
            continue
        place = chunk.end
        chunks += _asserted_apart(tokens, chunk, said)
    return _named(tokens, _pointed(tokens, chunks))


def _asserted_apart(tokens: Sequence[Token], chunk: Chunk, said: Assertions) -> list[Chunk]:
    """The chunk in the parts that are denied, doubted or neither, without the trigger's words."""
    kept: list[Chunk] = []
    for part in _parted(tokens, chunk, said):
        ends = [e for s, e in said.triggers if s <= part.core < e < part.end]
        core = _behind_determiners(tokens, max(ends)) if ends else part.core
        if core < part.end:
            kept.append(replace(part, first=core if ends else part.first, core=core))
    return kept


def _parted(tokens: Sequence[Token], chunk: Chunk, said: Assertions) -> list[Chunk]:
    for place in range(chunk.core + 1, chunk.end - 1):
        before, behind = place - 1, _behind_determiners(tokens, place + 1)
        if tokens[place].low != "of" or behind >= chunk.end:
            continue
        if any((before in scope) != (behind in scope) for scope in (said.negated, said.hedged)):
            rest = replace(chunk, first=place + 1, core=behind)
            return [replace(chunk, end=place), *_parted(tokens, rest, said)]
    return [chunk]


def _behind_determiners(tokens: Sequence[Token], place: int) -> int:
    while place < len(tokens) and tokens[place].tag is Tag.DET:
        place += 1
    return place


def _pointing(tokens: Sequence[Token], place: int) -> Chunk | None:
    """A chunk of "here", "right there", "this one" or a lone "this" that starts at `place`."""
    low = tokens[place].low
    end = place
    if low in lexicon.POINTING and _is_one(tokens, place):
        return Chunk(place, place, place + 2, deictic=True)
    if low in lexicon.PLACE_LEADS and not tokens[place].stop and place + 1 < len(tokens):
        end += tokens[place + 1].low in lexicon.PLACES
    if end > place or low in lexicon.PLACES:
        is_there = tokens[end].low == "there" and end == place
        return None if is_there else Chunk(place, place, end + 1, deictic=True)
    if low not in ("this", "these") or _starts_noun(tokens, place):
        return None
    return Chunk(place, place, place + 1, deictic=True)


def _is_one(tokens: Sequence[Token], place: int) -> bool:
    """Does "one" or "ones" follow, and no noun after it?"""
    follows = tokens[place + 1 : place + 3]
    if not follows or follows[0].low not in ("one", "ones") or tokens[place].stop:
        return False
    return bool(follows[0].stop) or len(follows) == 1 or follows[1].tag not in _INNER


def _starts_noun(tokens: Sequence[Token], place: int) -> bool:
    if tokens[place].stop or place + 1 == len(tokens):
        return False
    return tokens[place + 1].tag in _INNER or (
        tokens[place + 1].low in lexicon.DEGREES and place + 2 < len(tokens)
    )


def _noun_phrase(tokens: Sequence[Token], place: int, max_words: int) -> Chunk | None:
    """The longest noun phrase that starts at `place`."""
    core = place
    while core < len(tokens) and tokens[core].tag is Tag.DET and not tokens[core].stop:
        core += 1
    end = _base(tokens, core)
    if end is None:
        return None
    head = end
    while not tokens[end - 1].stop and end < len(tokens) and tokens[end].low == "of":
        inner = end + 1
        while inner < len(tokens) and tokens[inner].tag is Tag.DET:
            inner += 1
        further = _base(tokens, inner)
        if further is None:
            break
        if tokens[end - 1].low in lexicon.PARTITIVES:
            place, core, head = inner, inner, further
        end = further
    if end - core > max_words:
        end = head
    first = max(core, end - max_words)
    return Chunk(place if first == core else first, first, end)


def _base(tokens: Sequence[Token], core: int) -> int | None:
    """One past the end of adjectives and nouns that start at `core` and end in a noun."""
    end = core
    last_noun = None
    while end < len(tokens):
        token = tokens[end]
        if token.tag in _INNER:
            end += 1
            if token.tag is Tag.NOUN:
                last_noun = end
            if token.stop and not _adjectives_go_on(tokens, end):
                break
        elif _joins(tokens, core, end):
            end += 1
        else:
            break
    return last_noun


def _adjectives_go_on(tokens: Sequence[Token], at: int) -> bool:
    """Is `a small, round nodule` still open after a comma?"""
    before = tokens[at - 1]
    if before.stop != "," or before.tag is not Tag.ADJ:
        return False
    follows = tokens[at : at + 2]
    return len(follows) == 2 and follows[0].tag is Tag.ADJ and follows[1].tag in _INNER


def _joins(tokens: Sequence[Token], core: int, at: int) -> bool:
    """Does a degree ("slightly") or an `and` between adjectives stand inside a phrase?"""
    follows = tokens[at + 1 : at + 3]
    if not follows or tokens[at].stop:
        return False
    if tokens[at].low in lexicon.DEGREES or tokens[at].low.endswith("ly"):
        return follows[0].tag is Tag.ADJ and tokens[at].tag is Tag.ADV and _noun_ahead(tokens, at)
    if tokens[at].low not in ("and", "or") or at == core:
        return False
    pair = tokens[at - 1].tag is Tag.ADJ and follows[0].tag is Tag.ADJ
    return pair and len(follows) == 2 and follows[1].tag in _INNER


def _noun_ahead(tokens: Sequence[Token], at: int) -> bool:
    for token in tokens[at + 1 :]:
        if token.tag is Tag.NOUN:
            return True
        if token.stop or token.tag not in _INNER:
            return False
    return False


def _worth(tokens: Sequence[Token], chunk: Chunk) -> bool:
    """Could a pointer show it?"""
    if chunk.deictic:
        return True
    nouns = [t.low for t in tokens[chunk.core : chunk.end]]
    head = _head(tokens, chunk)
    if head in lexicon.EMPTY_HEADS and _points(tokens, chunk):
        return True
    if unseen(head, bare=len(nouns) == 1) or len(head) == 1:
        return False
    if head in ("side", "sides", "top", "bottom") and "of" not in nouns:
        return False
    return not (head in lexicon.EMPTY_HEADS and len(nouns) == 1)


def _head(tokens: Sequence[Token], chunk: Chunk) -> str:
    """The noun that the phrase is about: the last one before `of`."""
    for place in range(chunk.core, chunk.end):
        if tokens[place].low == "of":
            return tokens[place - 1].low
    return tokens[chunk.end - 1].low


def _points(tokens: Sequence[Token], chunk: Chunk) -> bool:
    return any(t.low in lexicon.POINTING for t in tokens[chunk.first : chunk.core])


def _pointed(tokens: Sequence[Token], chunks: list[Chunk]) -> list[Chunk]:
    """Mark what "this is", "here is" and "here we see" point at; leave out what cannot be shown.

    The pronoun goes: with what it introduces, or where it is the subject of a statement.
    """
    result: list[Chunk] = []
    leads: Chunk | None = None
    for chunk in chunks:
        introduced = leads is not None and _introduces(tokens, leads, chunk)
        if leads is not None and introduced:
            result = [c for c in result if c.first != leads.first]
        leads = chunk if chunk.deictic and _is_lone(tokens, chunk) else None
        if chunk.deictic and tokens[chunk.first].low in lexicon.POINTING and leads:
            if _is_object(tokens, chunk):
                result.append(chunk)
        elif _worth(tokens, chunk):
            points = introduced or _points(tokens, chunk) or _opens(tokens, chunk)
            result.append(replace(chunk, deictic=chunk.deictic or points))
    return result


def _is_lone(tokens: Sequence[Token], chunk: Chunk) -> bool:
    """Is it a pronoun or an adverb of place and nothing more?"""
    inside = [t.low for t in tokens[chunk.first : chunk.end]]
    return len(inside) == 1 or inside[-1] in lexicon.PLACES


def _is_object(tokens: Sequence[Token], chunk: Chunk) -> bool:
    """Does a lone pronoun end its clause ("look at this")?"""
    if chunk.first == 0 or tokens[chunk.first - 1].low in ("like", "than", "as"):
        return False
    return bool(tokens[chunk.end - 1].stop) or chunk.end == len(tokens)


def _introduces(tokens: Sequence[Token], leads: Chunk, chunk: Chunk) -> bool:
    """Do the words between a pronoun and a phrase say no more than "is" or "we see"?"""
    if tokens[leads.end - 1].stop:
        return False
    between = [t.low for t in tokens[leads.end : chunk.first]]
    if not between:
        opens = leads.first == 0 or bool(tokens[leads.first - 1].stop)
        return opens and chunk.first < chunk.core and tokens[leads.end - 1].low in lexicon.PLACES
    words = [w for w in between if w not in ("you", "we", "i", "can", "also", "again", "in")]
    return len(words) <= 1 and all(w in _SHOWS or w in _HAVE for w in words)


def _opens(tokens: Sequence[Token], chunk: Chunk) -> bool:
    """Does "here's" stand right before the phrase?"""
    return chunk.first > 0 and tokens[chunk.first - 1].low == "here's"


def _named(tokens: Sequence[Token], chunks: list[Chunk]) -> list[Chunk]:
    """Give "here" the nearest noun phrase before it in its clause."""
    result: list[Chunk] = []
    for chunk in chunks:
        before = result[-1] if result else None
        if before is not None and tokens[chunk.end - 1].low in lexicon.PLACES:
            apart = any(t.stop for t in tokens[before.end - 1 : chunk.first])
            if not apart and tokens[before.end - 1].low not in lexicon.PLACES:
                result.append(replace(chunk, noun=(before.core, before.end)))
                continue
        result.append(chunk)
    return result
