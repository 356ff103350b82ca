"""Draws names, numbers, dates and addresses of people over pictures, and harmless words beside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from faker import Faker
from PIL import Image, ImageDraw, ImageFont

from benchmarks.tracing.pages import Rgb, laid_out, load, shared_data

SIZES = ((1280, 720), (854, 480), (640, 640), (1024, 768), (1920, 1080))
PICTURES = (
    *("fundus", "histology", "head_ct", "mr_abdomen", "cell", "fundus_disc", "stroma", "echo"),
    *("fundus_macula", "histology_zoom", "microaneurysms", "ct_stack", "node"),
)
LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL")
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold"),
    *("DejaVuSansMono-Bold", "DejaVuSans-Oblique", "STIXGeneral", "STIXGeneralBol", "default"),
)
HARMLESS = (
    *("W 400 L 40", "Se: 3", "Im: 12/240", "120 kV", "kV 120 mA 250", "TE 90 TR 4000", "T2 FLAIR"),
    *("FOV 240 mm", "SUPINE", "AP PORTABLE", "5 cm", "Zoom 1.2", "MI 1.1 TIs 0.4", "Gain 62"),
    *("HR 72 bpm", "14:33:05", "Thick 5.0 mm", "C+ arterial phase", "AXIAL", "Frame 12 of 60"),
    *("512 x 512", "2D 45 Hz", "12 MHz", "10x", "200 um", "H&E", "R", "L", "Erect", "DFOV 32.0 cm"),
    *("Lossy 1:12", "Depth 14.0 cm", "Dist 23.4 mm", "Area 4.2 cm2", "W: 1500 C: -600", "Post"),
    *("FLAIR COR", "Lung window", "Right Kidney", "LV", "CC", "MLO", "OD", "F 67Y", "Stent"),
)
TITLES = (
    *(
        "Acute Appendicitis",
        "Murphy Sign",
        "Differential Diagnosis",
        "Crohn Disease",
        "Colles Fracture",
    ),
    *("Case 3: 54-year-old man with cough", "Patient presents with chest pain", "Baker Cyst"),
    *("Hospital-acquired Pneumonia", "Name that finding", "Take Home Points", "Virchow Triad"),
    *("Pulmonary Embolism", "Patient positioning", "Barrett Esophagus", "What is the diagnosis?"),
    *("ID of the lesion", "Date palm thorn injury", "Phone a friend", "Grave's Ophthalmopathy"),
    *("Psoas, Iliacus and Quadratus", "Liver, Spleen", "Learning Objectives", "Ward Rounds"),
    *(
        "Study of 1,234,567 patients",
        "p < 0.001, n = 12345",
        "WHO 2021 classification",
        "March 2019",
    ),
)
Lot = np.random.Generator
Box = tuple[int, int, int, int]


@dataclass
class Page:
    """A picture with what was drawn on it that identifies somebody.

    Attributes:
        rgb: (h, w, 3).
        truth: (kind, what it says, its ink's box) of each identifier.
    """

    rgb: Rgb
    truth: list[tuple[str, str, Box]] = field(default_factory=list)


def draw_named(rng: Lot) -> Page:
    """A picture with identifiers in one of five layouts, and harmless words elsewhere."""
    on_slide = rng.random() < 0.15
    page = Page(draw_slide(rng) if on_slide else draw_picture(rng))
    layouts = (_header, _header, _labelled, _table, _lone)
    corners = [str(corner) for corner in rng.permutation(["tl", "tr", "bl", "br"])]
    corners = ["bl", "br"] if on_slide else corners  # a title stands in the upper ones
    layouts[int(rng.integers(len(layouts)))](page, rng, corners[0])
    _overlay(page, rng, corners[1])
    return page


def draw_overlays(rng: Lot) -> Rgb:
    """A picture with harmless words in two or three corners."""
    page = Page(draw_picture(rng))
    for corner in rng.permutation(["tl", "tr", "bl", "br"])[: int(rng.integers(2, 4))]:
        _overlay(page, rng, str(corner))
    return page.rgb


def draw_slide(rng: Lot) -> Rgb:
    """A slide with a picture, a title of a lecture and lines of text."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    rgb, _ = laid_out(int(rng.integers(1 << 30)), size, (str(rng.choice(PICTURES)),), 0)
    wide, tall = size
    lines = [str(rng.choice(TITLES)), *(_line(rng) for _ in range(int(rng.integers(1, 5))))]
    ink = (20, 20, 20) if rgb[-3:, -3:].mean() > 120 else (235, 235, 235)
    image = Image.fromarray(rgb)
    pen = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        font = _font(str(rng.choice(FONTS)), round((0.05 if row == 0 else 0.036) * tall))
        pen.text((0.72 * wide, (0.2 + 0.1 * row) * tall), line[:24], ink, font=font)
    return np.array(image)


def _header(page: Page, rng: Lot, corner: str) -> None:
    """A viewer's block of lines: name, number, birth date, study date, place."""
    who = _person(rng)
    lines = [
        ("header name", "", who.written(rng)),
        ("header number", _any(rng, "ID: ", "MRN ", "ID ", "MRN: ", ""), _number(rng)),
        ("header birth", _any(rng, "DOB: ", "DOB ", "*", ""), _date(rng)),
        ("header study date", _any(rng, "", "Study date: ", "Acq: "), _date(rng)),
        ("header place", "", _place(rng)),
        ("", _any(rng, *HARMLESS), ""),
        ("header accession", _any(rng, "Acc: ", "Acc# ", "Accession No: "), _number(rng)),
    ]
    _write(page, rng, corner, [lines[0], *(lines[k] for k in _some(rng, 1, len(lines)))])


def _labelled(page: Page, rng: Lot, corner: str) -> None:
    """One or two lines with labels."""
    who = _person(rng)
    phone = f"{rng.integers(200, 999)}-{rng.integers(200, 999)}-{rng.integers(1000, 9999)}"
    street = f"{rng.integers(1, 999)} {who.last} {_any(rng, 'Street', 'Road', 'Ave')}"
    called = _any(rng, "Name: ", "Patient: ", "Patient Name: ", "Pt: ")
    choices = [
        ("labelled name", called, who.written(rng)),
        ("labelled physician", _any(rng, "Ref: Dr. ", "Referring: ", "Dr "), who.plain),
        ("labelled number", _any(rng, "MRN: ", "Patient ID: ", "ID: "), _number(rng)),
        ("labelled birth", _any(rng, "DOB: ", "Date of birth: ", "Born: "), _date(rng)),
        ("labelled phone", _any(rng, "Tel: ", "Phone: "), phone),
        ("address", "", street),
    ]
    _write(page, rng, corner, [choices[k] for k in _some(rng, 0, len(choices))[:2]])


def _table(page: Page, rng: Lot, corner: str) -> None:
    """Labels in one column, values in the next."""
    who = _person(rng)
    rows = [
        ("Name", "table name", who.written(rng)),
        ("ID", "table number", _number(rng)),
        ("DOB", "table birth", _date(rng)),
    ]
    px, font = _letters(page, rng)
    labels = [f"{label}{rng.choice([':', ''])}" for label, _, _ in rows]
    gap = max(font.getlength(label) for label in labels) + px * float(rng.uniform(0.8, 2.5))
    wide = gap + max(font.getlength(value) for _, _, value in rows)
    x, y = _corner(page, rng, corner, wide, 1.35 * px * len(rows))
    ink = _ink(page, rng, (x, y, wide, 1.35 * px * len(rows)))
    for row, (label, (_, kind, value)) in enumerate(zip(labels, rows, strict=True)):
        down = y + 1.35 * px * row
        _put(page, (x, down), label, font, ink)
        page.truth.append((kind, value, _put(page, (x + gap, down), value, font, ink)))


def _lone(page: Page, rng: Lot, corner: str) -> None:
    """A name, a date or a number by itself."""
    choices = [
        ("lone name", "", _person(rng).written(rng)),
        ("lone date", "", _date(rng)),
        ("lone number", "", _number(rng)),
        ("lone place", "", _place(rng)),
    ]
    _write(page, rng, corner, [choices[int(rng.integers(len(choices)))]])


def _overlay(page: Page, rng: Lot, corner: str) -> None:
    _write(page, rng, corner, [("", _any(rng, *HARMLESS), "") for _ in range(rng.integers(1, 4))])


@dataclass(frozen=True)
class _Person:
    first: str
    last: str

    @property
    def plain(self) -> str:
        return f"{self.first} {self.last}"

    def written(self, rng: Lot) -> str:
        """The name as scanners and people write it."""
        return str(
            rng.choice(
                [
                    f"{self.last}^{self.first}".upper(),
                    f"{self.last}, {self.first}".upper(),
                    f"{self.last}, {self.first}",
                    self.plain,
                    f"{self.plain}".upper(),
                    f"Mrs. {self.plain}",
                ]
            )
        )


def _person(rng: Lot) -> _Person:
    fake = _faker(str(rng.choice(LOCALES)))
    fake.seed_instance(int(rng.integers(1 << 30)))
    return _Person(fake.first_name(), fake.last_name())


@lru_cache(maxsize=16)
def _faker(locale: str) -> Faker:
    return Faker(locale)


def _number(rng: Lot) -> str:
    digits = "".join(str(d) for d in rng.integers(0, 10, int(rng.integers(6, 10))))
    return f"{rng.choice(['', '', 'A', 'MR', 'H'])}{digits}"


def _date(rng: Lot) -> str:
    day, month, year = rng.integers(1, 29), rng.integers(1, 13), rng.integers(1930, 2025)
    name = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[month - 1]  # noqa: SIM905
    return str(
        rng.choice(
            [
                f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}",
                f"{day}.{month}.{year}", f"{day} {name} {year}", f"{day:02d}-{name.upper()}-{year}",
                f"{year}{month:02d}{day:02d}", f"{name} {day}, {year}",
            ]
        )
    )  # fmt: skip


def _place(rng: Lot) -> str:
    fake = _faker("en_US")
    fake.seed_instance(int(rng.integers(1 << 30)))
    city = fake.city()
    return str(
        rng.choice(
            [f"{city} General Hospital", f"St. {fake.first_name()} Medical Center",
             f"{city.upper()} HOSPITAL", f"University Hospital {city}", f"{city} Clinic"]
        )
    )  # fmt: skip


def _some(rng: Lot, first: int, end: int) -> list[int]:
    count = int(rng.integers(1, end - first + 1))
    return sorted(int(k) for k in rng.permutation(np.arange(first, end))[:count])


def draw_picture(rng: Lot, size: tuple[int, int] | None = None) -> Rgb:
    """Return a medical picture (h, w, 3), in a size drawn by lot where none is given."""
    wide, tall = size or SIZES[int(rng.integers(len(SIZES)))]
    rgb = load(str(rng.choice(PICTURES)))
    if rng.random() < 0.5:
        return np.asarray(cv2.resize(rgb, (wide, tall), interpolation=cv2.INTER_CUBIC), np.uint8)
    frame = np.zeros((tall, wide, 3), np.uint8)
    side = min(wide, tall)
    x, y = (wide - side) // 2, (tall - side) // 2
    fitted = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
    frame[y : y + side, x : x + side] = fitted
    return frame


def _letters(page: Page, rng: Lot) -> tuple[float, ImageFont.FreeTypeFont]:
    """12 to 48 pixels high, the larger the picture the larger."""
    most = min(48.0, page.rgb.shape[0] / 15)
    px = float(np.exp(rng.uniform(np.log(12), np.log(most))))
    return px, _font(str(rng.choice(FONTS)), round(px))


@lru_cache(maxsize=256)
def _font(name: str, px: int) -> ImageFont.FreeTypeFont:
    if name == "default":
        font = ImageFont.load_default(px)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / f"{name}.ttf"), px)


def _corner(page: Page, rng: Lot, corner: str, wide: float, tall: float) -> tuple[float, float]:
    rim = float(rng.uniform(4, 24))
    x = rim if corner[1] == "l" else page.rgb.shape[1] - rim - wide
    y = rim if corner[0] == "t" else page.rgb.shape[0] - rim - tall
    return max(x, 2.0), max(y, 2.0)


def _ink(page: Page, rng: Lot, place: tuple[float, float, float, float]) -> tuple[int, int, int]:
    """A grey or a yellow 70 levels or more from the ground; black or white where that hides it."""
    x, y, wide, tall = (round(v) for v in place)
    ground = cv2.cvtColor(page.rgb[y : y + tall, x : x + wide], cv2.COLOR_RGB2GRAY).astype(int)
    mean, away = float(ground.mean()), float(rng.uniform(70, 200))
    grey = mean + away if mean + away <= 255 or mean < 128 else mean - away
    level = int(np.clip(grey, 0, 255))
    if (np.abs(ground - level) < 45).mean() > 0.03:
        level = min((0, 255), key=lambda end: (np.abs(ground - end) < 45).mean())
    return (level, level, level) if rng.random() < 0.8 else (level, level, int(0.6 * level))


def _put(
    page: Page,
    at: tuple[float, float],
    said: str,
    font: ImageFont.FreeTypeFont,
    ink: tuple[int, ...],
) -> Box:
    image = Image.fromarray(page.rgb)
    pen = ImageDraw.Draw(image)
    x0, y0, x1, y1 = (round(edge) for edge in pen.textbbox(at, said, font=font))
    ground = page.rgb[max(y0, 0) : y1, max(x0, 0) : x1].mean(axis=2)
    hidden = ground.size and (np.abs(ground - ink[0]) < 45).mean() > 0.03
    rim = (0, 0, 0) if ink[0] > 127 else (255, 255, 255)
    pen.text(at, said, ink, font=font, stroke_width=2 if hidden else 0, stroke_fill=rim)
    page.rgb = np.array(image)
    tall, wide = page.rgb.shape[:2]
    return max(x0, 0), max(y0, 0), min(x1, wide), min(y1, tall)


def _any(rng: Lot, *choices: str) -> str:
    return str(rng.choice(choices))


def _write(page: Page, rng: Lot, corner: str, lines: Sequence[tuple[str, str, str]]) -> None:
    """Lines (kind, label, value) in a corner, flush with the picture's nearer side."""
    px, font = _letters(page, rng)
    widths = [font.getlength(label + value) for _, label, value in lines]
    shrink = min(1.0, 0.9 * page.rgb.shape[1] / max(widths))
    if shrink < 1:
        px, font = px * shrink, font.font_variant(size=max(int(px * shrink), 10))
        widths = [font.getlength(label + value) for _, label, value in lines]
    tall = 1.35 * px * len(lines)
    x, y = _corner(page, rng, corner, max(widths), tall)
    ink = _ink(page, rng, (x, y, max(widths), tall))
    for row, ((kind, label, value), wide) in enumerate(zip(lines, widths, strict=True)):
        left = x if corner[1] == "l" else x + max(widths) - wide
        box = _put(page, (left, y + 1.35 * px * row), label + value, font, ink)
        if kind:
            begins = min(round(left + font.getlength(label)), box[2] - 1)
            page.truth.append((kind, value, (max(begins, box[0]), *box[1:])))


def _line(rng: Lot) -> str:
    words = _article_words()
    start = int(rng.integers(max(len(words) - 8, 1)))
    return " ".join(words[start : start + 4])


@lru_cache(maxsize=1)
def _article_words() -> tuple[str, ...]:
    """Words of the bodies of the shared articles, or of a sentence where those are missing."""
    folder = shared_data() / "articles"
    found: list[str] = []
    for path in sorted(folder.rglob("*.*xml")) if folder.is_dir() else []:
        paragraphs = re.findall(r"<p\b[^>]*>(.*?)</p>", path.read_text("utf-8"), re.DOTALL)
        found += re.sub(r"<[^>]+>", "", " ".join(paragraphs)).split()
    return tuple(found) or ("left", "lower", "lobe", "consolidation", "and", "no", "effusion")
