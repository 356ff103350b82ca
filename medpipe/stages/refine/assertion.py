"""Find what a sentence says is not there, and what it does not vouch for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from medpipe.stages.refine import lexicon
from medpipe.stages.refine.tags import Tag, Token
from medpipe.stages.refine.triggers import TRIGGERS, Reach, Says

_ENDS: Final = lexicon.words(
    "but however except although though yet because so which who whereas while therefore just "
    "only instead rather then until unless if since"
)
_LOCATIVES: Final = lexicon.words(
    "in within at on around along near beneath below above beside behind inside over under "
    "between throughout across outside to into from through"
)
_LIST_WORDS: Final = frozenset({"or", "nor", "and"})
_KNOWN: Final = lexicon.words("the this that these those its his her their my your our both")
_NOMINAL: Final = frozenset({Tag.ADJ, Tag.NOUN, Tag.NUM})
_BACK: Final = frozenset({Reach.BEFORE, Reach.ENDING})


@dataclass(frozen=True, slots=True)
class Assertions:
    """What a sentence says of its words.

    Attributes:
        negated: Places of what is said not to be there.
        hedged: Places of what is possible only, or of another time, person or condition.
        negates: Whether anything denies, be it a property ("the heart is not enlarged").
        hedges: Whether anything doubts.
        triggers: (first, end) of the words that deny or doubt.
    """

    negated: frozenset[int]
    hedged: frozenset[int]
    negates: bool
    hedges: bool
    triggers: tuple[tuple[int, int], ...]


def assertions_of(tokens: Sequence[Token]) -> Assertions:
    """Find the tokens inside the reach of what denies or doubts.

    Args:
        tokens: One sentence.

    Returns:
        Places in `tokens`. A place may be both negated and hedged.

    Source:
        NegEx and ConText (Chapman et al. 2001, Harkema et al. 2009): triggers before and after,
        pseudo-triggers, words that end a reach. Ours: a comma ends a reach unless a bare list goes
        on; what stands behind "the" or "this" is known to be there unless it is what was looked
        for ("I can't see the ligament"); the place where something is not is itself there.
    """
    text, starts = _text(tokens)
    found: dict[Says, set[int]] = {says: set() for says in Says}
    heard: set[Says] = set()
    taken: list[tuple[int, int]] = []
    spans: list[tuple[int, int]] = []
    for trigger in TRIGGERS:
        for match in trigger.pattern.finditer(text):
            if any(match.start() < end and match.end() > start for start, end in taken):
                continue
            span = starts[match.start()], starts[match.end()]
            if not _holds(tokens, *span, trigger.reach):
                continue
            taken.append(match.span())
            if trigger.says is not Says.NOTHING:
                heard.add(trigger.says)
                spans.append(span)
                found[trigger.says] |= set(_reached(tokens, *span, trigger.reach, trigger.says))
    return Assertions(
        negated=frozenset(found[Says.ABSENT]),
        hedged=frozenset(found[Says.DOUBTED]),
        negates=Says.ABSENT in heard,
        hedges=Says.DOUBTED in heard,
        triggers=tuple(sorted(spans)),
    )


def _text(tokens: Sequence[Token]) -> tuple[str, list[int]]:
    """The sentence in lower case, and the token at (or the next one after) each character."""
    text, owner = "", []
    for place, token in enumerate(tokens):
        text += token.low + " "
        owner += [place] * len(token.low) + [place + 1]
    return text.rstrip(" "), [*owner, len(tokens)]


def _holds(tokens: Sequence[Token], first: int, end: int, reach: Reach) -> bool:
    """Is the trigger one run of words, and does its reach lie on the side it looks to?"""
    if any(token.stop and token.stop != "," for token in tokens[first : end - 1]):
        return False
    closed = end == len(tokens) or bool(tokens[end - 1].stop) or tokens[end].low in _ENDS
    if reach is Reach.ENDING:
        return closed
    if reach is Reach.BEFORE:
        return closed or (tokens[end].tag not in {*_NOMINAL, Tag.DET} and tokens[end].low != "to")
    return reach is Reach.AROUND or not tokens[end - 1].stop


def _reached(
    tokens: Sequence[Token], first: int, end: int, reach: Reach, says: Says
) -> Sequence[int]:
    """The places that a trigger at `tokens[first:end]` speaks of."""
    if reach in _BACK:
        return _backward(tokens, first)
    if reach is Reach.AROUND:
        before = _unknown(tokens, _back_to_clause(tokens, first, over_verbs=True), first)
        return [*before, *_forward(tokens, end, over_verbs=True, known=False)]
    if reach is Reach.NOUN:
        return _forward(tokens, end, over_verbs=False, known=says is Says.ABSENT)
    known = says is Says.ABSENT and _looks_for(tokens, end)
    return _forward(tokens, end, over_verbs=True, known=known)


def _looks_for(tokens: Sequence[Token], start: int) -> bool:
    """Does "not" stand before a thing ("not the carina") or a verb of finding?"""
    for place, token in enumerate(tokens[start:], start):
        if place + 1 < len(tokens) and tokens[place + 1].low == "to":
            continue
        if token.tag is Tag.VERB or token.low in lexicon.FINDING:
            return token.low in lexicon.FINDING
        if token.tag not in {Tag.ADV, Tag.AUX, Tag.PRON}:
            return token.tag is not Tag.PREP
    return False


def _forward(tokens: Sequence[Token], start: int, *, over_verbs: bool, known: bool) -> list[int]:
    """Places from `start` to the end of a reach.

    Args:
        tokens: The sentence.
        start: First place after the trigger.
        over_verbs: It goes on behind verbs ("we don't see any mass").
        known: What stands behind "the" or "this" is meant as well.
    """
    scope: list[int] = []
    named = False
    skips = False
    for place in range(start, len(tokens)):
        token = tokens[place]
        if _reach_ends(tokens, place, named=named, over_verbs=over_verbs):
            break
        skips = not known and (token.low in _KNOWN or (skips and token.tag in _NOMINAL))
        if not skips:
            scope.append(place)
        named = named or (token.tag is Tag.NOUN and token.low not in lexicon.PARTITIVES)
        if token.stop and (token.stop != "," or not _list_goes_on(tokens, place + 1)):
            break
    return scope


def _reach_ends(tokens: Sequence[Token], place: int, *, named: bool, over_verbs: bool) -> bool:
    """Does a reach end before this place? `named`: it has said what it is about."""
    token = tokens[place]
    if token.low in _ENDS:
        return True
    if token.low == "and":
        return _clause_follows(tokens, place + 1)
    if token.low in _LIST_WORDS:
        return place + 1 < len(tokens) and tokens[place + 1].tag is Tag.PRON
    if not named:
        return False
    if token.low in _LOCATIVES or _of_the_known(tokens, place):
        return True
    return not over_verbs and token.tag in {Tag.AUX, Tag.PRON, Tag.VERB}


def _of_the_known(tokens: Sequence[Token], place: int) -> bool:
    """Does "of the kidney" start here, behind something that the kidney may have?"""
    if tokens[place].low != "of" or place + 1 == len(tokens):
        return False
    before = tokens[place - 1]
    return tokens[place + 1].low in _KNOWN and before.low not in lexicon.PARTITIVES


def _backward(tokens: Sequence[Token], end: int) -> list[int]:
    """Places before a trigger back to its clause's start, without the place where it is not."""
    scope: list[int] = []
    for place in range(end - 1, _back_to_clause(tokens, end) - 1, -1):
        token = tokens[place]
        behind = place > 0 and tokens[place - 1].tag is Tag.NOUN
        if behind and (token.low in _LOCATIVES or _of_the_known(tokens, place)):
            scope = []
            continue
        scope.append(place)
    return scope


def _back_to_clause(tokens: Sequence[Token], end: int, *, over_verbs: bool = False) -> int:
    """The first place of the clause that ends before `end`."""
    start = end
    while start > 0 and tokens[start - 1].tag is Tag.AUX and not tokens[start - 1].stop:
        start -= 1
    while start > 0:
        token = tokens[start - 1]
        acts = token.tag in {Tag.VERB, Tag.AUX} and not over_verbs
        if token.stop or token.low in _ENDS or acts:
            break
        start -= 1
    return start


def _unknown(tokens: Sequence[Token], first: int, end: int) -> list[int]:
    """Places that stand behind no "the" or "this"."""
    scope: list[int] = []
    skips = False
    for place in range(first, end):
        token = tokens[place]
        skips = token.low in _KNOWN or (skips and token.tag in _NOMINAL)
        if not skips:
            scope.append(place)
    return scope


def _clause_follows(tokens: Sequence[Token], start: int) -> bool:
    """Does a new clause (something, then a verb) start here?"""
    for token in tokens[start:]:
        if token.tag in (Tag.AUX, Tag.VERB, Tag.PRON):
            return True
        if token.stop or token.tag is Tag.CONJ:
            return False
    return False


def _list_goes_on(tokens: Sequence[Token], start: int) -> bool:
    rest = tokens[start:]
    if not rest or rest[0].low in _ENDS:
        return False
    if rest[0].low in _LIST_WORDS:
        rest, start = rest[1:], start + 1
    if rest and rest[0].tag in (Tag.DET, Tag.PREP, Tag.ADV) and rest[0].low not in ("any", "no"):
        return False
    return bool(rest) and not _clause_follows(tokens, start)
