"""The phrases that deny, doubt or move away what a sentence speaks of, each with its reach."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Says(Enum):
    """What a trigger says of the words in its reach."""

    ABSENT = "it is not there"
    DOUBTED = "it may be there, or is of another time, person or condition"
    NOTHING = "nothing: it only looks like a trigger"


class Reach(Enum):
    """Which words a trigger speaks of."""

    NOUN = "the noun phrase that follows, and a list it opens"
    CLAUSE = "the rest of the clause; what is named as known ('the', 'this') is there"
    BEFORE = "the clause up to the trigger"
    ENDING = "the clause up to the trigger, where the clause ends with it"
    AROUND = "the whole clause"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A phrase (`pattern` over lower-case words, one blank apart) and what it does."""

    pattern: re.Pattern[str]
    says: Says
    reach: Reach


_BE: Final = r"(is|are|was|were|be|been|being|isn't|aren't|wasn't|weren't)"
_SEEN: Final = (
    r"(seen|present|visible|visualized|visualised|identified|found|appreciated|detected|there|"
    r"evident|apparent|noted|demonstrated|observed|recognized|recognised|made out)"
)
_ADVERB: Final = r"(\w+ly |any ?more |well |even |quite |at all )?"
_MAY: Final = r"(can|could|should|must|would|may|might|has to|have to|needs to|need to|ought to)"
_KIN: Final = (
    r"(mother|father|parents?|sisters?|brothers?|siblings?|son|daughter|wife|husband|aunt|uncle|"
    r"cousin|grandmother|grandfather|relatives?)"
)
_SINCE: Final = r"(days?|weeks?|months?|years?|decades?)"

_PSEUDO: Final = (
    r"no (doubt|question|wonder|one|matter|problem|mistake|way around)",
    r"no (\w+ ){0,2}?(change|changes|increase|decrease|growth|progression|difference)( in| of)?",
    r"without (a |any )?(doubt|question|exception)",
    r"nothing (but|more than|other than|else than)",
    r"nobody",
    r"if (you|we|i) (look|go|scroll|zoom|follow|compare|turn|move|focus|trace|start|come)",
    r"not (only|just|merely|simply|necessarily|to mention|to be missed|all|every|everything|"
    r"always)",
    r"not (as|so|that) \w+",
    r"not (uncommon|unusual|infrequent|rare)(ly)?",
    r"(don't|do not|never|can't|cannot|can not|not) (forget|miss|overlook|worry|stress|emphasize|"
    r"ignore|underestimate|be fooled|be misled)",
    r"why (not|don't|doesn't)",
)
_ABSENT_NOUN: Final = (
    r"(no(?! longer| point| way)|no longer any)",
    r"zero",
    r"neither",
    r"nor",
    r"without",
    r"minus",
    r"(absence|lack|devoid|free|clear|resolution|disappearance|agenesis|aplasia|removal) of",
    r"lack(s|ed|ing)?",
    r"negative for",
    r"absent",
    r"(hardly|barely|scarcely) any",
    r"(little|minimal|few|rare),? if any",
    r"(rather than|instead of|as opposed to|in contrast to|unlike|different from|distinct from)",
    r"((do not|don't|never|not|be) )*(confus|mistak)\w* (\w+ ){0,4}?(with|for)",
    r"(denies|denied|deny)",
    r"(excludes?|excluded|excluding|rules out|ruled out|ruling out)",
)
_ABSENT_CLAUSE: Final = (
    r"(not|never|no longer|nowhere|at no point|in no way|nothing|none|hardly|cannot)",
    r"\w+n't",
    r"(fails?|failed|failing) to",
    r"(unable|impossible) to",
)
_ABSENT_BEFORE: Final = (
    rf"{_BE} ((now|all|both|also|\w+ly) )?(absent|missing|gone|lost|ruled out|excluded)",
    r"(has|have|had) ((now|all|both|also|\w+ly) )?(resolved|disappeared|vanished|cleared|gone|"
    r"been (\w+ly )?(ruled out|excluded|removed|lost))",
    rf"(not|never|no longer|\w+n't|cannot) {_ADVERB}(be |been |being )?{_ADVERB}{_SEEN}",
    rf"{_BE} (nowhere|hardly|barely) (to be )?{_SEEN}",
)
_ABSENT_ENDING: Final = (rf"{_BE} not", r"(isn't|aren't|wasn't|weren't|doesn't|don't|didn't)")
_DOUBTED_NOUN: Final = (
    r"(possible|possibly|probable|probably|presumed|presumably|perhaps|maybe|suspected|"
    r"questionable|likely|unlikely|potential|potentially|conceivable|conceivably)",
    r"(suspicious|concerning|worrisome) for",
    r"(suspicion|suggestion|question|possibility|risk|fear) of",
    r"suggestive of",
    r"(worried|worry|concerned|thinking|think|thought) about",
    r"(suspect|suspects|suspecting)",
    r"(consider|considering)",
    r"(differential|differential diagnosis|differentials) (\w+ )?(includes?|is|are|between|of|for)",
    r"(evaluate|evaluated|evaluation|look|looking|looked|search|searching|screen|screening|check|"
    r"checking|treated|tested|worked up) for",
    rf"({_MAY}|to|try to|trying to|help to) (rule out|exclude)",
    r"(can't|cannot|can not|couldn't|could not|don't|do not) (\w+ly )?(rule out|exclude)",
    r"(hard|difficult|tough|tricky|impossible) to (rule out|exclude)",
    r"(can't|cannot|can not|couldn't|wouldn't) (say|claim|promise|swear) (that )?there (is|are) no",
    r"((family )?history|status|past history) (of|post)",
    r"(previous|prior|former|old|remote) (history|diagnosis|episode) of",
    r"versus",
)
_DOUBTED_CLAUSE: Final = (
    r"(may|might)",
    r"could (\w+ly |also |well |still |even )?(be|represent|have|indicate|suggest|mean|reflect)",
    r"would (\w+ly |also |then )?(see|expect|find|have|get|notice|be)",
    r"(if|whether|in case|unless|suppose|imagine)",
    r"(not|isn't|am not|i'm not) (sure|certain|clear|known)",
    r"(unclear|uncertain|unsure|doubtful)",
)
_DOUBTED_BEFORE: Final = (
    rf"{_BE} ((also|still|quite|very|more|less|most|rather|only|\w+ly) )?(possible|probable|likely|"
    rf"unlikely|suspected|questionable|questioned|conceivable|doubtful|uncertain)",
    r"(can't|cannot|can not|couldn't|could not|not|never) (\w+ly )?(be |been )?(\w+ly )?"
    r"(ruled out|excluded)",
    rf"{_MAY} (\w+ )?be (\w+ly )?(considered|excluded|ruled out|suspected|on your mind|"
    rf"(in|on|part of) (the|your|our|my) (list|differential))",
    rf"{_BE} (\w+ )?(in|on|part of) (the|your|our|my) (list|differential)",
    rf"{_BE} (\w+ly )?(hard|difficult|tough|tricky|impossible) to (rule out|exclude)",
)
_DOUBTED_AROUND: Final = (
    rf"{_SINCE} (ago|earlier|before that)",
    r"(last|previous) (week|month|year|time|visit)",
    r"(previously|formerly|in the past|at that time|back then|used to have)",
    rf"(his|her|the|their|my|patient's) {_KIN}",
    r"in (a |an |the )?(normal|healthy|another|other|different) "
    r"(persons?|people|patients?|individuals?|subjects?|child|children|adults?)",
)


def _table() -> tuple[Trigger, ...]:
    groups = (
        (Says.NOTHING, Reach.NOUN, _PSEUDO),
        (Says.DOUBTED, Reach.BEFORE, _DOUBTED_BEFORE),
        (Says.ABSENT, Reach.BEFORE, _ABSENT_BEFORE),
        (Says.ABSENT, Reach.ENDING, _ABSENT_ENDING),
        (Says.DOUBTED, Reach.CLAUSE, _DOUBTED_CLAUSE),
        (Says.DOUBTED, Reach.NOUN, _DOUBTED_NOUN),
        (Says.DOUBTED, Reach.AROUND, _DOUBTED_AROUND),
        (Says.ABSENT, Reach.NOUN, _ABSENT_NOUN),
        (Says.ABSENT, Reach.CLAUSE, _ABSENT_CLAUSE),
    )
    return tuple(
        Trigger(re.compile(rf"(?<![^ ])({'|'.join(patterns)})(?= |$)"), says, reach)
        for says, reach, patterns in groups
    )


TRIGGERS: Final = _table()
