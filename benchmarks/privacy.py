"""Names and numbers burned into pictures: how many are found, and what is masked by mistake.

Identifiers are drawn over real pictures and slides in many fonts, sizes and contrasts, with
harmless words beside them; clean pictures carry harmless words alone, or are slides. A picture is
searched and masked, encoded as the dataset stores it, decoded and read again: what is left counts.
Names come from eight languages (Faker), slide lines from real articles where those are there.

    python -m benchmarks.privacy [--seeds 900 1100] [--sheet OUT.png] [--radiographs 100]
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from faker import Faker
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.machine import about
from benchmarks.tracing.pages import Rgb, available, laid_out, load, shared_data
from medpipe.dataset import ImageConfig, encode_image
from medpipe.dataset.images import decode_image
from medpipe.stages.classify import ClassifyConfig, search
from medpipe.stages.classify.reading import read_text

RESULTS = Path(__file__).parent / "results" / "privacy.json"
SIZES = ((1280, 720), (854, 480), (640, 640), (1024, 768), (1920, 1080))
PICTURES = (
    *("fundus", "histology", "head_ct", "mr_abdomen", "cell", "fundus_disc", "stroma", "echo"),
    *("fundus_macula", "histology_zoom", "microaneurysms", "ct_stack", "node"),
)
WORKERS = 4
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


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(900, 1100), help="first and end")
    parser.add_argument("--sheet", type=Path, help="draw what was missed or wrongly masked here")
    parser.add_argument("--radiographs", type=int, default=100, help="of the shared data, clean")
    parser.add_argument("--how", choices=("mask", "blur"), default="mask")
    parser.add_argument("--sides", nargs="+", type=int, help="sizes at which a picture is read")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = ClassifyConfig(identifiers=args.how)
    if args.sides:
        config = config.model_copy(update={"text_long_sides_px": tuple(args.sides)})
    wrong: list[tuple[str, NDArray[np.uint8]]] = []
    body: dict[str, object] = {**about(), "seeds": list(args.seeds), "how": args.how}
    body["named"] = named(range(*args.seeds), config, wrong)
    body["clean"] = clean(range(*args.seeds)[::3], args.radiographs, config, wrong)
    body["cpu_ms_at_720p"] = cost(config)
    print("CPU at 1280 x 720, ms", body["cpu_ms_at_720p"])
    if args.sheet:
        _sheet(wrong, args.sheet)
    if tuple(args.seeds) == (900, 1100) and not args.sides and args.how == "mask":
        RESULTS.write_text(json.dumps(body, indent=1) + "\n", "utf-8")


def named(
    seeds: range, config: ClassifyConfig, wrong: list[tuple[str, NDArray[np.uint8]]]
) -> dict[str, object]:
    """Identifiers that were drawn: found, and left in the stored bytes."""
    found: dict[str, list[bool]] = defaultdict(list)
    left, whole, over = 0, 0, []
    for tried in _at_once(partial(_try_named, config=config), seeds):
        for kind, hit in tried.hits:
            found[kind].append(hit)
        whole += all(hit for _, hit in tried.hits)
        left += tried.left
        over.append(tried.masked)
        if tried.shown is not None:
            wrong.append((tried.told, tried.shown))
            print(f"  {tried.told}")
    every = [hit for hits in found.values() for hit in hits]
    for kind, hits in found.items():
        print(f"{kind:22s} {np.mean(hits):.3f} of {len(hits)}")
    print(
        f"identifiers found {np.mean(every):.4f} of {len(every)}; pictures without a miss "
        f"{whole / len(seeds):.3f} of {len(seeds)}; readable in the stored bytes {left}; "
        f"masked share of a picture, mean {np.mean(over):.3f}"
    )
    return {
        "found": float(np.mean(every)),
        "identifiers": len(every),
        "pictures_without_a_miss": whole / len(seeds),
        "readable_in_stored_bytes": left,
        "by_kind": {kind: [float(np.mean(hits)), len(hits)] for kind, hits in found.items()},
    }


@dataclass(frozen=True)
class _Tried:
    hits: list[tuple[str, bool]]
    left: int
    masked: float
    told: str = ""
    shown: NDArray[np.uint8] | None = None


def _try_named(seed: int, config: ClassifyConfig) -> _Tried:
    page = draw_named(np.random.default_rng([seed, 11]))
    bgr = np.ascontiguousarray(page.rgb[:, :, ::-1])
    searched = search(bgr, config)
    hits = [covered(box, searched.boxes_px) >= 0.95 for _, _, box in page.truth]
    stored = decode_image(encode_image(np.asarray(searched.image), ImageConfig()))
    rest = still_readable(stored, page, config)
    tried = _Tried(
        [(kind, hit) for (kind, _, _), hit in zip(page.truth, hits, strict=True)],
        len(rest),
        covered((0, 0, bgr.shape[1], bgr.shape[0]), searched.boxes_px),
    )
    if all(hits) and not rest:
        return tried
    missed = [said for (_, said, _), hit in zip(page.truth, hits, strict=True) if not hit]
    told = f"{seed}: missed {missed} left {rest}"
    return replace(tried, told=told, shown=_boxed(bgr, page, searched.boxes_px))


def _at_once(act: Callable[[int], Any], seeds: Sequence[int]) -> Iterator[Any]:
    with ProcessPoolExecutor(WORKERS) as pool:
        yield from pool.map(act, seeds)


def clean(
    seeds: range,
    radiographs: int,
    config: ClassifyConfig,
    wrong: list[tuple[str, NDArray[np.uint8]]],
) -> dict[str, list[float]]:
    """Shares of pictures without an identifier that were masked; radiographs name uploaders."""
    told: dict[str, list[float]] = {}
    drawn = {"bare": seeds, "overlays": seeds, "slides": seeds}
    if available("vqa:0"):
        drawn["radiographs (with credits)"] = range(radiographs)
    for kind, lots in drawn.items():
        tried = list(_at_once(partial(_try_clean, kind=kind, config=config), lots))
        mistakes = [each for each in tried if each is not None]
        for name, shown in mistakes:
            print(f"  {name}")
            wrong.append((name, shown))
        told[kind] = [len(mistakes) / len(tried), len(tried)]
        print(f"masked, {kind:12s} {len(mistakes) / len(tried):.3f} of {len(tried)}")
    return told


def _try_clean(
    seed: int, kind: str, config: ClassifyConfig
) -> tuple[str, NDArray[np.uint8]] | None:
    draw = {"bare": (_picture, 12), "overlays": (draw_overlays, 13), "slides": (draw_slide, 14)}
    if kind in draw:
        way, lot = draw[kind]
        rgb = way(np.random.default_rng([seed, lot]))
    else:
        rgb = load(f"vqa:{seed}")
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    boxes = search(bgr, config).boxes_px
    if not boxes:
        return None
    return f"{kind} {seed}: {_said_there(bgr, boxes, config)}", _boxed(bgr, Page(rgb), boxes)


def cost(config: ClassifyConfig) -> dict[str, float]:
    """Median CPU milliseconds of a search at 1280 x 720, by kind of picture."""
    told = {}
    drawn: dict[str, Callable[[Lot], Rgb]] = {
        "picture": lambda rng: _picture(rng, (1280, 720)),
        "slide": lambda rng: laid_out(int(rng.integers(1 << 30)), (1280, 720), ("head_ct",), 6)[0],
    }
    for kind, draw in drawn.items():
        spent = []
        for seed in range(7):
            bgr = np.ascontiguousarray(draw(np.random.default_rng(seed))[:, :, ::-1])
            began_s = time.process_time()
            search(bgr, config)
            spent.append(time.process_time() - began_s)
        told[kind] = round(float(np.median(spent)) * 1e3, 1)
    return told


def covered(box: Box, masks: Sequence[Box]) -> float:
    """Share of a box under masks."""
    x0, y0, x1, y1 = box
    under = np.zeros((y1 - y0, x1 - x0), bool)
    for a, b, c, d in masks:
        under[max(b - y0, 0) : max(d - y0, 0), max(a - x0, 0) : max(c - x0, 0)] = True
    return float(under.mean())


def still_readable(stored: NDArray[np.uint8], page: Page, config: ClassifyConfig) -> list[str]:
    """Identifiers of which a piece of three characters can be read where it stood."""
    texts = read_text(stored, long_sides_px=config.text_long_sides_px, min_score=0.3)
    rest = []
    for _, said, (x0, y0, x1, y1) in page.truth:
        pieces = {part.lower() for part in re.findall(r"\w{3,}", said)}
        for text in texts:
            a, b, c, d = text.box_px
            near = a < x1 and c > x0 and b < y1 and d > y0
            if near and any(piece in text.text.lower() for piece in pieces):
                rest.append(said)
                break
    return rest


# ---------------------------------------------------------------- drawing


def draw_named(rng: Lot) -> Page:
    """A picture with identifiers in one of five layouts, and harmless words elsewhere."""
    on_slide = rng.random() < 0.15
    page = Page(draw_slide(rng) if on_slide else _picture(rng))
    layouts = (_header, _header, _labelled, _table, _lone)
    corners = [str(corner) for corner in rng.permutation(["tl", "tr", "bl", "br"])]
    corners = ["bl", "br"] if on_slide else corners  # a title stands in the upper ones
    layouts[int(rng.integers(len(layouts)))](page, rng, corners[0])
    _overlay(page, rng, corners[1])
    return page


def draw_overlays(rng: Lot) -> Rgb:
    """A picture with harmless words in two or three corners."""
    page = Page(_picture(rng))
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


def _picture(rng: Lot, size: tuple[int, int] | None = None) -> Rgb:
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


# ---------------------------------------------------------------- looking


def _said_there(bgr: NDArray[np.uint8], boxes: Sequence[Box], config: ClassifyConfig) -> list[str]:
    texts = read_text(bgr, long_sides_px=config.text_long_sides_px, min_score=config.min_text_score)
    return [text.text for text in texts if covered(text.box_px, boxes) > 0.9]


def _boxed(bgr: NDArray[np.uint8], page: Page, found: Sequence[Box]) -> NDArray[np.uint8]:
    shown = bgr.copy()
    for _, _, (x0, y0, x1, y1) in page.truth:
        cv2.rectangle(shown, (x0, y0), (x1, y1), (0, 220, 0), 2)
    for x0, y0, x1, y1 in found:
        cv2.rectangle(shown, (x0, y0), (x1, y1), (60, 60, 255), 1)
    return np.asarray(cv2.resize(shown, (640, 400), interpolation=cv2.INTER_AREA), np.uint8)


def _sheet(pages: Sequence[tuple[str, NDArray[np.uint8]]], path: Path) -> None:
    shown = [page for _, page in pages[:12]]
    shown += [np.zeros((400, 640, 3), np.uint8)] * (-len(shown) % 3)
    rows = [np.hstack(shown[k : k + 3]) for k in range(0, len(shown), 3)]
    if rows:
        cv2.imwrite(str(path), np.vstack(rows))


if __name__ == "__main__":
    main()
