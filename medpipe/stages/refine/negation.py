"""Find what a sentence says is not there: triggers with a scope, in the manner of NegEx."""

import re
from collections.abc import Sequence
from typing import Final

from medpipe.stages.refine import lexicon
from medpipe.stages.refine.tags import Tag, Token

_PSEUDO: Final = re.compile(
    r"\b(no doubt|without (a )?doubt|not only|not just|not necessarily|not sure|not certain|"
    r"no matter|no problem|not to mention|don't forget|do not forget|don't miss|do not miss|"
    r"not to be missed|can't miss|cannot miss|why not|no change|no increase|not uncommon|"
    r"not unusual|not infrequently|don't worry|do not worry|don't confuse|do not confuse)\b"
)
_FORWARD: Final = re.compile(
    r"\b(no|not|without|never|neither|nor|absence of|lack of|lacks|lacking|free of|negative for|"
    r"devoid of|rather than|instead of|denies|rules? out|ruled out|excludes?|cannot|fails? to|"
    r"isn't|aren't|wasn't|weren't|don't|doesn't|didn't|haven't|hasn't|hadn't|can't|couldn't|"
    r"won't|wouldn't)(?= |$)"
)
_BACKWARD: Final = re.compile(
    r"(\b(is|are|was|were|be|been) (completely |entirely |clearly )?(absent|missing|ruled out|"
    r"excluded)|(\bnot|n't|\bcannot be|\bno longer|\bnever) (be |been |clearly |well |really )?"
    r"(seen|present|visible|visualized|visualised|identified|found|appreciated|detected|there|"
    r"evident|apparent|noted|demonstrated|made out))\b"
)
_ENDS: Final = lexicon.words(
    "but however except although though yet because so which who whereas while therefore just "
    "only instead rather then until unless if"
)
_LOCATIVES: Final = lexicon.words(
    "in within at on around along near beneath below above beside behind inside over under "
    "between throughout across outside"
)
_LIST_WORDS: Final = frozenset({"or", "nor", "and"})


def negated_tokens(tokens: Sequence[Token]) -> tuple[set[int], bool]:
    """Find the tokens inside the scope of a negation.

    Args:
        tokens: One sentence.

    Returns:
        Places in `tokens` that are negated, and whether the sentence negates at all.

    Source:
        NegEx (Chapman et al. 2001): phrases that negate before and after, pseudo-negations, words
        that end a scope. Ours: a comma ends a scope unless a bare list goes on;
        the place where something is not is itself there.
    """
    text, starts = _text(tokens)
    taken = [m.span() for m in _PSEUDO.finditer(text)]
    after = [m for m in _BACKWARD.finditer(text) if not _inside(m, taken)]
    taken += [m.span() for m in after]
    before = [m for m in _FORWARD.finditer(text) if not _inside(m, taken)]
    found: set[int] = set()
    for match in before:
        found |= set(_forward(tokens, starts[match.end()]))
    for match in after:
        found |= set(_backward(tokens, starts[match.start()]))
    return found, bool(before or after)


def _inside(match: re.Match[str], spans: Sequence[tuple[int, int]]) -> bool:
    return any(match.start() < end and match.end() > start for start, end in spans)


def _text(tokens: Sequence[Token]) -> tuple[str, list[int]]:
    """The sentence in lower case, and the token at (or the next one after) each character."""
    text, owner = "", []
    for place, token in enumerate(tokens):
        low = token.low if not token.low.endswith("n't") else token.low[:-3] + "n't"
        text += low + " "
        owner += [place] * len(low) + [place + 1]
    return text, [*owner, len(tokens)]


def _forward(tokens: Sequence[Token], start: int) -> list[int]:
    """Places after a trigger up to the end of its scope."""
    scope: list[int] = []
    for place in range(start, len(tokens)):
        token = tokens[place]
        if token.low in _ENDS or (token.low in _LOCATIVES and _named(tokens, scope)):
            break
        if token.low in _LIST_WORDS and _clause_follows(tokens, place + 1):
            break
        scope.append(place)
        if token.stop and (token.stop != "," or not _list_goes_on(tokens, place + 1)):
            break
    return scope


def _named(tokens: Sequence[Token], scope: list[int]) -> bool:
    """Has the scope said what is absent, so that a place follows, which is there?"""
    return bool(scope) and tokens[scope[-1]].tag is Tag.NOUN


def _backward(tokens: Sequence[Token], end: int) -> list[int]:
    """Places before a trigger back to the start of its clause."""
    scope: list[int] = []
    for place in range(end - 1, -1, -1):
        token = tokens[place]
        if token.stop or token.low in _ENDS or token.tag is Tag.VERB:
            break
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
