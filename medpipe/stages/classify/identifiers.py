"""Tells which of the texts in a picture are identifiers of a person, by what they say and where."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medpipe.stages.classify.words import LEADING, ORDINARY, TRAILING

BoxPx = tuple[int, int, int, int]


class Kind(StrEnum):
    """What an identifier identifies a person by."""

    NAME = "name"
    NUMBER = "number"
    DATE = "date"
    PLACE = "place"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text in a picture.

    Attributes:
        text: As read.
        score: How sure the reader is, in [0, 1].
        box_px: (x0, y0, x1, y1) in the picture's pixels.
    """

    text: str
    score: float
    box_px: BoxPx


@dataclass(frozen=True, slots=True)
class Names:
    """Names of people, in lower case without accents: given ones, and those of families."""

    given: frozenset[str]
    family: frozenset[str]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A text that identifies somebody: of what kind and where; what it says is not kept."""

    kind: Kind
    box_px: BoxPx


# What is said before a value. Longer ones first: the first that fits is taken.
_LABELS: dict[str, str] = {
    "called": r"(?:patient'?s?|pat\.?|pt\.?|full|last|first|family|given) ?names?|surname|name",
    "patient": r"patient|pt|pat",
    "people": r"(?:referring|ref\.?|requesting|reading|attending|perf\.?|performing)"
    r" ?(?:physician|phys\.?|doctor|dr\.?|md)?|performed by|reported by|physician|operator"
    r"|technologist|tech|sonographer|radiologist|consultant|surgeon",
    "number": r"(?:patient|pat\.?|pt\.?|study|exam|hospital|hosp\.?|medical record|med\.? ?rec\.?"
    r"|chart|record|case|order|visit) ?(?:id|no\.?|number|nr\.?|#)|accession|accn?|mrn|m\.r\.n\.?"
    r"|pid|nhs|ssn|id",
    "date": r"d\.? ?o\.? ?b\.?|date of birth|birth ?date|born"
    r"|(?:study|exam|scan|acq\.?|acquisition|series) ?date|date",
    "place": r"hospital|institution|facility|address|department|dept\.?",
    "contact": r"tel\.?|phone|telephone|fax|mobile|e-?mail",
}
_KIND_OF_LABEL = {
    "called": Kind.NAME,
    "patient": Kind.NAME,
    "people": Kind.NAME,
    "number": Kind.NUMBER,
    "date": Kind.DATE,
    "place": Kind.PLACE,
    "contact": Kind.CONTACT,
}
_MARKED = {
    label: re.compile(
        rf"(?:^|[^A-Za-z\s]\s*)(?:{words})(?: ?(?:no\.?|number|nr\.?))? ?[:#=] ?(?P<value>.*)$",
        re.IGNORECASE,
    )
    for label, words in _LABELS.items()
}
_ALONE = {
    label: re.compile(rf"^(?:{words})(?: ?(?:no\.?|number|nr\.?))?[ .:#=]*$", re.IGNORECASE)
    for label, words in _LABELS.items()
}
# Readers take O for 0.
_MONTH = r"(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|[o0][ck]t|n[o0]v|dec|dez)[a-z]*"
_DAY, _MONTH_NO, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATES = re.compile(
    rf"(?<![\d./-])(?:{_DAY}[./-]{_DAY}[./-]{_YEAR}|{_DAY}[/-]{_DAY}[/-]\d\d"
    rf"|{_YEAR}[./-]{_MONTH_NO}[./-]{_DAY}|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rf"|{_DAY}(?:st|nd|rd|th)?[ .-]*{_MONTH}[ .,-]*(?:{_YEAR}|\d\d)"
    rf"|{_MONTH}[ .-]*{_DAY}(?:st|nd|rd|th)?[ .,-]*{_YEAR})(?!\d|[./-]\d)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"(?:pmid|pmc|nct|isbn|doi|arxiv|https?)\W{0,3}", re.IGNORECASE)
_NUMBERS = re.compile(
    r"(?<![\d.,A-Za-z])(?:[A-Z]{0,3}-?\d{6,14}|[A-Z]{1,3}-?\d{5,12}|\d{3}-\d{2}-\d{4}"
    r"|\d+(?:\.\d+){5,})(?![\d.,]*\d)"
)
_STRONG_LABEL = re.compile(
    r"\b(?:mrn|dob|d\.o\.b\.?|ssn|nhs|accession|patient id|pid)\b\W*(?:no\.?|number)?\W*\w*\d",
    re.IGNORECASE,
)
_CONTACTS = re.compile(
    r"(?<![\d.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\) ?|\d{3,5}[ .-])\d{3,4}[ .-]\d{3,6}(?!\d)"
    r"|[\w.+-]+ ?@ ?[\w-]+\.\w+"
)
_WORD = r"[A-ZÀ-Þ][\w'.&-]*"
_PLACES = re.compile(
    rf"\b{_WORD} (?:{_WORD} |of |and |& )*(?:(?i:hospital|clinic|infirmary|medical cent(?:er|re)|"
    r"health ?(?:care|system|centre|center)|imaging cent(?:er|re)|klinikum|krankenhaus|diagnostics"
    r"|radiology (?:associates|group|partners)))\b(?! ?(?:acquired|course|stay|admission))"
    r"|\b(?i:hospital|clinic|h[ôo]pital|cl[íi]nica|ospedale|klinik) (?:of |for |de |del |di )?"
    rf"{_WORD}"
    r"|\b\d{1,5}[A-Za-z]? (?:[A-Z][\w'.]* ){1,3}"
    r"(?i:street|st|road|rd|avenue|ave|lane|ln|drive|blvd|boulevard|way|court|square)\b\.?"
    r"|\b[A-Z][a-z]+,? [A-Z]{2} \d{5}(?:-\d{4})?\b"
)
_NOT_PLACES = re.compile(r"(?i)hospital[ -](?:acquired|course|stay|admission|discharge|mortality)")
_TITLED = re.compile(
    rf"(?:^|[\s:,(/])(?i:{LEADING})\b\.? ?(?-i:{_WORD})|{_WORD},? (?i:{TRAILING})$"
)
# Shares of a picture's sides: scanners write small and in corners, titles of slides are larger.
_CORNER, _SMALL = 0.2, 0.055
_CARET = re.compile(r"[A-Za-z'-]{2,} ?\^ ?[A-Za-z]*")
# What is left of a date or number of which the reader missed a piece.
_REMAINS = re.compile(rf"[-./ ]*{_MONTH}[-./, ]*\d{{2,4}}|[\d./-]*\d[./-]\d[\d./-]*", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W\d_][^\W\d_'.-]*(?:['.-][^\W\d_]+)*\.?")


def identifiers(texts: Sequence[Text], names: Names, size_px: tuple[int, int]) -> list[Identifier]:
    """The texts that identify a person.

    Args:
        texts: All that was read in one picture, in any order.
        names: By which a name is known that no label announces.
        size_px: Width and height of the picture.

    Returns:
        The kind and place of each, in the order of the texts. What follows a label ("Name:",
        "ID") counts wherever it stands, right of it or below; what looks like a name counts also
        beside another identifier, and in small letters in a corner if it is in capitals or has a
        comma.
    """
    said = [_plain(text.text) for text in texts]
    kinds: dict[int, Kind] = {}
    for place, text in enumerate(said):
        kind = _kind_alone(text, names)
        if kind is None and _is_signed(text, texts[place].box_px, size_px):
            kind = Kind.NAME
        if kind is not None:
            kinds[place] = kind
    for place, text in enumerate(said):
        label = next((name for name, form in _ALONE.items() if form.match(text)), None)
        if label is None or place in kinds:
            continue
        value = _value_of(place, texts, said, label)
        if value is not None:
            kinds.setdefault(value, _KIND_OF_LABEL[label])
    _spread(kinds, texts, said)
    boxes = {place: texts[place].box_px for place in sorted(kinds)}
    return [Identifier(kinds[place], _widened(box, boxes.values())) for place, box in boxes.items()]


def _widened(box: BoxPx, others: Iterable[BoxPx]) -> BoxPx:
    """A line with the sides of the lines next to it: of a line, readers miss the ends."""
    block = [box, *(other for other in others if _in_one_block(box, other))]
    return min(each[0] for each in block), box[1], max(each[2] for each in block), box[3]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).replace("\u2019", "'").strip()


def _kind_alone(text: str, names: Names) -> Kind | None:
    """What a text is by itself."""
    for label, form in _MARKED.items():
        found = form.search(text)
        if found and _fits(label, found["value"]):
            return _KIND_OF_LABEL[label]
    if _DATES.search(text):
        return Kind.DATE
    if not _REFERENCE.search(text):
        if _CONTACTS.search(text):
            return Kind.CONTACT
        if _NUMBERS.search(text) or _STRONG_LABEL.search(text):
            return Kind.NUMBER
    if _PLACES.search(text) and not _NOT_PLACES.search(text):
        return Kind.PLACE
    if _is_name(text, names):
        return Kind.NAME
    return None


def _fits(label: str, value: str) -> bool:
    """Whether what follows a label is what the label asks for."""
    letters = re.search(r"[^\W\d_]{2}", value) is not None
    if label == "called":
        return letters
    if label in ("patient", "people"):
        return bool(_CARET.search(value)) or _looks_like_a_name(
            value, least=1 + (label == "patient")
        )
    if label == "number":
        return len(re.findall(r"\d", value)) >= 3
    if label == "date":
        return len(re.findall(r"\d", value)) >= 4
    if label == "contact":
        return "@" in value or len(re.findall(r"\d", value)) >= 5
    return (letters and value[:1].isupper()) or value[:1].isdigit()


def _is_name(text: str, names: Names) -> bool:
    if _CARET.search(text) or _TITLED.search(text):
        return True
    head = re.split(r"[(\d/|]|\b[MF]\b", text)[0].strip(" ,-")
    if not _looks_like_a_name(head, least=2):
        return False
    surname, comma, given = head.partition(",")
    if comma and " " not in surname.strip() and given.strip():
        return head.isupper() or _known(given, names.given)
    return _known(head, names.given) and all(
        _known(word, names.given | names.family)
        for word in head.split()
        if len(word.strip(".")) > 1
    )


def _is_signed(text: str, box_px: BoxPx, size_px: tuple[int, int]) -> bool:
    """Whether it may be an unknown name, written where and as scanners write names."""
    x0, y0, x1, y1 = box_px
    wide, tall = size_px
    in_corner = (y1 < _CORNER * tall or y0 > (1 - _CORNER) * tall) and (
        x0 < _CORNER * wide or x1 > (1 - _CORNER) * wide
    )
    small = y1 - y0 < _SMALL * tall
    written = text.isupper() or re.fullmatch(r"[^ ,]+, ?[^ ,]+", text) is not None
    return in_corner and small and written and _looks_like_a_name(text, least=2)


def _known(text: str, names: frozenset[str]) -> bool:
    """Whether one of its words, or a part of a double name, is among some names."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return any(word in names for word in re.split(r"[ ,.'-]+", bare.lower()))


def _looks_like_a_name(text: str, *, least: int) -> bool:
    """Whether it is a few capitalised words that no picture or slide is described with."""
    words = [word for word in re.split(r"[ ,]+", text.strip(" .,")) if word]
    if not least <= len(words) <= 4 or not all(_TOKEN.fullmatch(word) for word in words):
        return False
    if not (words[0][0].isupper() and words[-1][0].isupper()):
        return False
    full = [word for word in words if len(word.strip(".")) > 1]
    return bool(full) and not any(
        part.lower().strip(".") in ORDINARY for word in full for part in word.split("-")
    )


def _value_of(place: int, texts: Sequence[Text], said: Sequence[str], label: str) -> int | None:
    """The nearest text right of a label, or right below it, that is what the label asks for."""
    x0, y0, x1, y1 = texts[place].box_px
    high = y1 - y0
    best: tuple[float, int] | None = None
    for other, text in enumerate(texts):
        u0, v0, _, v1 = text.box_px
        if other == place or not _fits(label, said[other]):
            continue
        level = min(y1, v1) - max(y0, v0) > 0.5 * min(high, v1 - v0)
        beside = level and -0.5 * high <= u0 - x1 <= 12 * high
        below = abs(u0 - x0) <= 2 * high and -0.5 * high <= v0 - y1 <= 1.5 * high
        if beside or below:
            distance = (u0 - x1 if beside else 13 * high + v0 - y1) / max(high, 1)
            best = min(best or (distance, other), (distance, other))
    return best[1] if best else None


def _spread(kinds: dict[int, Kind], texts: Sequence[Text], said: Sequence[str]) -> None:
    """Names and remains of dates and numbers count in the lines around an identifier."""
    waiting = list(kinds)
    while waiting:
        place = waiting.pop()
        for other in range(len(texts)):
            if other in kinds or not _in_one_block(texts[place].box_px, texts[other].box_px):
                continue
            if _looks_like_a_name(said[other], least=1):
                kinds[other] = Kind.NAME
            elif len(said[other]) >= 5 and _REMAINS.fullmatch(said[other]):
                kinds[other] = Kind.DATE
            else:
                continue
            waiting.append(other)


def _in_one_block(a: BoxPx, b: BoxPx) -> bool:
    """Whether two lines of about one height follow each other, flush on a side."""
    high = max(a[3] - a[1], b[3] - b[1])
    if high > 1.7 * min(a[3] - a[1], b[3] - b[1]):
        return False
    gap = max(a[1], b[1]) - min(a[3], b[3])
    flush = min(abs(a[0] - b[0]), abs(a[2] - b[2])) <= high
    return flush and -0.5 * high <= gap <= high
