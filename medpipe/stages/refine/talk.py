"""Tell what teachers say beside the lesson: small talk, advertising, quizzes, housekeeping."""

import re
from collections.abc import Callable
from typing import Final

_ALL: Final = r"(everyone|everybody|anyone|anybody|all|guys|folks|people|there|friends|you|ladies)"
_STREAMS: Final = r"(instagram|twitter|facebook|youtube|linkedin|tiktok|telegram|whatsapp|patreon)"
_NUMBER: Final = r"(\d+|one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty)"
_SPAN: Final = r"(seconds?|minutes?|moments?|hours?)"
_MEET: Final = r"(lecture|video|talk|session|class|webinar|course|presentation|episode|series|part)"

# Said of nothing else: such a sentence goes, whatever it names.
_SURE: Final[dict[str, tuple[str, ...]]] = {
    "advertising": (
        r"(please|and|don't forget to|that|the) subscribe|subscribe (button|to (my|our|the|"
        r"this) channel)",
        r"^subscribe",
        r"(like|subscribe|bell|notification) (button|icon)",
        r"(turn|switch) on (the |your )?notifications",
        r"thumbs up",
        r"(sponsored|brought to you|made possible|supported) by (a|an|our|the|my) (\w+ )?"
        r"(company|partner|sponsor|maker|manufacturer|friends)",
        r"(our|today's|this week's) sponsors?",
        r"(promo|coupon|discount|voucher) code|at checkout|use (the|my) code",
        rf"(on|via|to) {_STREAMS}",
        r"(link|links)( is| are)?( \w+)? in the (video )?description",
        r"(in the description|comments?) (box )?(down )?below",
        r"in the comments?( section)?$",
        r"leave (me |us )?(a|your) comment",
        r"(my|our|this) (youtube )?channel",
        r"(my|our|this) (new )?(book|e-?book|textbook|app|newsletter|podcast|website|web site|"
        r"online course)",
        r"(sign up|register|enrol|enroll) (for|in|to|on|at) (my|our|the|this)",
        r"(share|like) this (video|lecture|channel)",
        r"(become|join) (a|as a|our|my|the) (\w+ )?(member|membership|patron|supporter|community)",
        r"(app|play) store",
    ),
    "small_talk": (
        r"(thanks|thank you)( \w+)*? for (watching|listening|joining|having me|coming|tuning in|"
        r"your (\w+ )?(attention|time)|being (here|with))",
        rf"can ({_ALL}|you {_ALL}) (still |all )?hear (me|us)( okay| ok| all right| well| "
        r"clearly| now| loud and clear)*$",
        r"can you (all |guys )?see my (screen|slides|cursor|mouse|pointer)",
        rf"can {_ALL} see my (screen|slides)",
        r"is (my|the) (screen|microphone|audio|sound|video|camera|volume) (okay|ok|good|fine|"
        r"visible|on|"
        r"working|all right|clear|loud enough)",
        r"(share|sharing) my (screen|slides)",
        r"(on|un) ?-?mute",
        r"(have|enjoy) a (great|nice|good|lovely|wonderful) (\w+ )?(day|evening|weekend|week|time|"
        r"night|afternoon|one)",
        r"my name is",
        r"i'm (a |an |your )?(\w+ ){0,2}?(doctor|dr\.?|professor|resident|fellow|radiologist|"
        r"pathologist|student|host)",
        rf"(see|catch|meet) you ({_ALL} )?(next|soon|later|again|tomorrow|in the next|on|then)",
        r"(hope|wish) (that )?(you|everyone|everybody) (\w+ )?(enjoyed|enjoy|liked|learned|"
        r"are well|"
        r"is (doing )?well|had|found)",
        r"(internet|connection|microphone|phone|sound|audio|camera|battery) (is|was|isn't|seems|"
        r"keeps|just)",
        r"(honor|honour|pleasure|privilege|delight) to (be|speak|talk|present|have|introduce)",
        r"(nice|good|great) to (meet|see|have) you",
        r"how are you( \w+)*$",
        r"how is (everybody|everyone)",
        r"(take care|stay safe|stay tuned|bye bye|bye for now|goodbye)",
    ),
    "quiz": (
        r"which (one )?of the following",
        r"pause the video",
        r"(write|type|put|post|enter) (in )?(your )?(answers?|guess|guesses|diagnosis)",
        r"raise your hands?",
        r"(take|have|make|venture) a (wild )?guess|any guesses",
        r"multiple choice",
    ),
    "housekeeping": (
        r"learning (objectives|goals)|objectives (of|for) (this|today's|the|my)",
        r"(nothing|no (\w+ ){0,3}?(conflicts?|disclosures?|relationships?))( of interest)? to "
        r"(disclose|declare|report)|(no|my) (\w+ )?(disclosures|conflicts of interest)",
        r"(cme|cpd) (credit|credits|point|points)",
        r"(take|have) (a|our) (\w+ ){0,3}?(break)$",
        r"(handouts?|slides|recording|pdf) (will|are|is|can)",
        r"(next|previous|last|first) slide,? please",
        rf"(at|till|until) the end of (the|this|my) {_MEET}",
        r"(i'd like|i want|i would like|let me) to (acknowledge|thank)",
        rf"(outline|agenda|overview|table of contents) (of|for) (my|this|the|today's|our) {_MEET}",
    ),
}
# Said of the lesson too: such a sentence goes where nothing that can be shown is left in it.
_UNLESS_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "small_talk": (
        r"^(so |and |okay |ok |well |all right |alright )*(hi|hello|hey|bye|goodbye|welcome|thanks|"
        r"thank you|sorry|good (morning|afternoon|evening|night|day)|greetings)",
        r"that('s| is) (all|it)( for| from)? ?(today|now|me|this|us)",
        r"i (really |hope|just )*(enjoyed|enjoy)",
        r"(get|grab|drink|need) (me |myself )?(some|a|my) (\w+ )?(water|coffee|tea)",
        r"(we're|we are|are we|am i|i'm) (\w+ )?(live|recording|online|on air|late|back)( now|"
        r" again|$)",
    ),
    "advertising": (
        r"^(please )?(follow|support|visit|contact|email|check out|find|join|buy|download|order) "
        r"(me|us|my|our|the (app|course|book))",
        r"you can (buy|get|order|find|download|support) (me|my|our)",
        r"subscribe",
        r"if you (liked?|enjoyed) (this|the|my|our)",
    ),
    "quiz": (
        r"what('s| is| would be| could be| was) (the|your|our) (\w+ )?(diagnosis|answer|guess|"
        r"differential|next step)",
        r"what (do|would|did|will) you (guys |all )?(think|do|say|call|do next|suggest|guess)",
        r"(the|your|correct|right) answers? (is|was|would be|here is|to (this|the))",
        r"(think|thinking) about (it|the answer|this|that)",
        r"which (one|answer|option|choice)s? (is|are|would|do|was)",
        r"is it (a|b|c|d|number)",
        rf"(question|quiz|item) (number )?{_NUMBER}$",
        r"how many of you",
        rf"(give|have|got) (you )?(\w+ )?{_NUMBER} {_SPAN}",
        r"^(time is|time's) up",
        r"(please |now )?(vote|poll)( now|$)",
        r"(does|do|did|can|could|would|will) (anybody|anyone|somebody|someone) (\w+ )*?(know|want|"
        r"tell|guess|try|answer|volunteer)",
        r"who (can|could|knows|wants|would like)",
    ),
    "housekeeping": (
        r"(let's|let us|let me|we'll|we will|we can|i'll|i will|shall we|can you|could you|to|then "
        r"we|we) (now |just |quickly )?(move|go|jump|skip|switch|turn|continue|proceed|come|get) "
        r"(on|back|over|ahead|forward|to|one|with|quickly)",
        r"^(and |so |okay |ok |now )*(next|last|first|second|third|another|final) (case|slide|one|"
        r"patient|image|question|topic)( please)?$",
        r"^(so |okay |ok )*moving (on|along|ahead)",
        r"(any|your|more|take|for|have|ask|answer) questions",
        rf"(exam|quiz|test|homework|assignment|deadline|{_MEET}) (is|will be|starts|begins|takes "
        rf"place|are|ends) (on |at |due )?(\w+ )?(monday|tuesday|wednesday|thursday|friday|"
        rf"saturday|"
        rf"sunday|tomorrow|today|week|month|o'clock)",
        rf"in (the )?(next|this|today's|previous|last|following|first|second|{_NUMBER}) {_MEET}|in "
        rf"part {_NUMBER}",
        r"(talk|talking|speak|speaking|lecture|present) (to you )?(about|on)",
        r"(slides|figures|images|pictures|animations|drawings) (were|was|are|is) (made|prepared|"
        r"provided|drawn|taken|available|courtesy)",
        rf"(this|today's|the|my) {_MEET} (is|will|covers|was) ",
        r"courtesy of",
        r"(take|have) a (\w+ )?(short |quick |\w+ minute )?break",
        r"(coffee|lunch|bathroom) break",
    ),
}


def _compiled(table: dict[str, tuple[str, ...]]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (code, re.compile(rf"(?<![\w'])({'|'.join(p)})(?![\w'])")) for code, p in table.items()
    )


_SURE_OF: Final = _compiled(_SURE)
_UNLESS: Final = _compiled(_UNLESS_SHOWN)
MAX_LENGTH: Final = 160  # characters; a longer sentence says more than that


def talk_code(low: str, shown: Callable[[int, int], bool]) -> str | None:
    """What kind of talk beside the lesson a sentence is.

    Args:
        low: The sentence in lower case, words one blank apart, without punctuation.
        shown: Whether something that a pointer can show stands outside (start, end) of `low`.

    Returns:
        `advertising`, `small_talk`, `quiz` or `housekeeping`; None for a part of the lesson.
    """
    if len(low) > MAX_LENGTH:
        return None
    for code, pattern in _SURE_OF:
        if pattern.search(low):
            return code
    for code, pattern in _UNLESS:
        match = pattern.search(low)
        if match and not shown(match.start(), match.end()):
            return code
    return None
