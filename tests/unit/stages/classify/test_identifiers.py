"""Which texts of a picture identify somebody."""

import pytest

from medpipe.stages.classify.identifiers import Kind, Names, Text, identifiers

NAMES = Names(frozenset({"jane", "anna", "barrett", "liam"}), frozenset({"doe", "muller", "hall"}))
SIZE_PX = (1280, 720)


def at(x: int, y: int, text: str, px: int = 20) -> Text:
    return Text(text, 0.9, (x, y, x + px * len(text) // 2, y + px))


def kinds(*texts: Text) -> list[str]:
    return [found.kind.value for found in identifiers(texts, NAMES, SIZE_PX)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Name: Xerxes Quill", Kind.NAME),
        ("Patient: Quill, Xerxes", Kind.NAME),
        ("QUILL^XERXES^T", Kind.NAME),
        ("QUILL, XERXES", Kind.NAME),
        ("Patient: XERXES QUILL", Kind.NAME),
        ("Doe, Jane", Kind.NAME),
        ("Jane Doe", Kind.NAME),
        ("Anna Müller  F 67Y", Kind.NAME),
        ("Dr. Quill", Kind.NAME),
        ("Xerxes Quill, MD", Kind.NAME),
        ("Referring: Quill", Kind.NAME),
        ("ID: 4711", Kind.NUMBER),
        ("MRN 4711", Kind.NUMBER),
        ("A1234567", Kind.NUMBER),
        ("Accession No: 99-123", Kind.NUMBER),
        ("ＩＤ：４７１１", Kind.NUMBER),  # noqa: RUF001
        ("1.2.840.113619.2.55.3", Kind.NUMBER),
        ("DOB: 3/4/1956", Kind.DATE),
        ("12-MAR-1956", Kind.DATE),
        ("18-0CT-1980", Kind.DATE),
        ("19560312", Kind.DATE),
        ("2019-03-12 14:33:05", Kind.DATE),
        ("March 12, 2019", Kind.DATE),
        ("Tel: 555 0199", Kind.CONTACT),
        ("(617) 555-0199", Kind.CONTACT),
        ("jane@example.org", Kind.CONTACT),
        ("St. Mary's Hospital", Kind.PLACE),
        ("UNIVERSITY HOSPITAL BASEL", Kind.PLACE),
        ("12 Elm Street", Kind.PLACE),
    ],
)
def test_a_text_that_identifies_somebody_is_told(text: str, kind: Kind) -> None:
    assert kinds(at(500, 300, text)) == [kind.value]


@pytest.mark.parametrize(
    "text",
    [
        "W 400 L 40", "Se: 3", "Im: 12/240", "120 kV 250 mA", "TE 90 TR 4000", "T2 FLAIR AX", "R",
        "14:33:05", "DFOV 32.0 cm", "512 x 512", "MI 1.1 TIs 0.4", "AP PORTABLE", "Lossy 1:12",
        "Acute Appendicitis", "Murphy Sign", "Barrett Esophagus", "Psoas, Iliacus", "RIGHT KIDNEY",
        "Patient presents with chest pain", "Patient: 54-year-old man with cough", "March 2019",
        "Hospital-acquired pneumonia", "Name the structure", "ID of the lesion", "PMID: 31234567",
        "Study of 1,234,567 patients", "p < 0.001, n = 12345", "Technique: T2 TSE", "Date palm",
    ],
)  # fmt: skip
def test_words_that_identify_nobody_are_left(text: str) -> None:
    assert kinds(at(500, 300, text)) == []


def test_what_stands_right_of_a_label_or_below_it_counts() -> None:
    beside = [at(10, 10, "Name"), at(120, 10, "Xerxes Quill"), at(10, 40, "W 400 L 40")]
    below = [at(10, 10, "Patient ID"), at(10, 34, "47-11")]

    assert kinds(*beside) == ["name"]
    assert kinds(*below) == ["number"]


def test_a_label_does_not_claim_what_it_does_not_ask_for() -> None:
    assert kinds(at(10, 10, "ID"), at(120, 10, "Lung window")) == []


def test_an_unknown_name_counts_beside_an_identifier_and_not_elsewhere() -> None:
    number, name = at(10, 40, "A1234567"), at(10, 16, "Xerxes Quill")

    assert kinds(name, number) == ["name", "number"]
    assert kinds(name, at(900, 600, "A1234567")) == ["number"]
    assert kinds(name) == []


@pytest.mark.parametrize("text", ["XERXES QUILL", "Quill, Xerxes"])
def test_an_unknown_name_counts_in_a_corner_in_small_letters(text: str) -> None:
    assert kinds(at(10, 10, text)) == ["name"]
    assert kinds(at(1000, 690, text)) == ["name"]
    assert kinds(at(10, 10, text, px=60)) == []
    assert kinds(at(500, 300, text.title())) == kinds(at(10, 10, "SIEMENS AVANTO")) == []


def test_what_is_left_of_a_half_read_line_is_masked_as_wide_as_its_block() -> None:
    found = identifiers([at(10, 10, "MRN: 47119320"), at(60, 36, "-MAY-2008")], NAMES, SIZE_PX)

    assert [each.kind for each in found] == [Kind.NUMBER, Kind.DATE]
    assert found[1].box_px == (10, 36, 150, 56)
    assert kinds(at(60, 36, "-MAY-2008")) == []


def test_places_are_those_of_the_texts() -> None:
    (found,) = identifiers([at(10, 10, "SUPINE"), at(30, 50, "QUILL^XERXES")], NAMES, SIZE_PX)

    assert found.box_px == (30, 50, 150, 70)
